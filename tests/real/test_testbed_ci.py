"""examples/ci for real, with the fixture that users have: crashed in each way, and recovered.

One lab for all tests: they take turns, in the order in which they stand here.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.lab import requires_real
from tests.real.test_dualboot import boot_sector
from threerc.testbed import trials
from threerc.testbed.campaign import MARKS, Asked, Campaign
from threerc.testbed.events import Event, Kind, read
from threerc.testbed.site import RunningSite
from threerc.testbed.spans import campaign_spans
from threerc.testbed.trials import Trial

pytestmark = requires_real()

VMS = ("vm1", "vm2")
WITHIN = 240.0
REINSTALLED_WITHIN = 480.0
MIDDLEWARE = "/var/lib/3rc/middleware"
BOOT_SECONDS = 90.0


def test_all_of_it_is_up(site: RunningSite) -> None:
    status = site.status()
    assert {n: (vm["up"], vm["host"]) for n, vm in status["virtual_machines"].items()} == {
        "vm1": (True, "ph1"), "vm2": (True, "ph2"),
    }  # fmt: skip
    assert {name: site.vm(name).host for name in VMS} == {"vm1": "ph1", "vm2": "ph2"}
    assert set(site.grip.heard()) == {"one", "two"}
    assert site.vm("vm1").run("hostname").out == "vm1\n"
    now = time.time()
    for controller in ("one", "two"):
        until(partial(has_looked, site, controller, now), f"{controller} to look at the site")
    site.testbed.power("wn1", "off")  # its disks are empty yet, and its BIOS never rests


def has_looked(site: RunningSite, controller: str, since: float) -> bool:
    """Whether a controller has left in the shared state that it has looked since then."""
    path = f"{site.grip.state_directory}/state/seen/{controller}"
    changed = site.grip.run("one", "stat", "-c", "%Y", path).out
    return bool(changed) and float(changed) > since


def test_a_campaign_that_is_killed_and_one_that_is_interrupted(
    site: RunningSite, tmp_path: Path
) -> None:
    """What has been crashed is not crashed again; what was under way does not count.

    That nobody could reach a service host by ssh meanwhile is kept for the report's picture.
    """
    site.crash("two", "ssh")
    before, begun = len(site.log()), time.time()
    file = tmp_path / "history.jsonl"
    with campaign(site, 2, tmp_path) as first:
        until(lambda: len(trials.resume(file)) == 1, "the first crash's end", WITHIN)
        first.kill()
    assert [span.label for span in campaign_spans(read(tmp_path / MARKS), [])] == ["two: ssh"]
    site.host("two").heal()
    (trial,) = trials.resume(file)
    assert trial.good
    assert [event.of for event in struck(site, begun)] == [trial.crash.vm]
    told(site, before, trial.crash.vm, trial)
    resumed = time.time()
    with campaign(site, 2, tmp_path) as second:
        until(lambda: len(struck(site, resumed)) == 1, "the second crash")
        second.send_signal(signal.SIGINT)
        _, said = second.communicate()
    assert "has 1 crash already, 1 to go" in said
    assert len(struck(site, resumed)) == 1
    assert trials.resume(file) == [trial]
    it_is_repaired(site, struck(site, resumed)[0].of, tmp_path)
    with campaign(site, 1, tmp_path, "--json") as third:
        figures, _ = third.communicate()
    assert third.returncode == 0
    assert json.loads(figures) == {"folder": str(tmp_path)} | json.loads(
        (tmp_path / "report.json").read_bytes()
    )


def test_a_campaign_of_hosts_that_hang(site: RunningSite, tmp_path: Path) -> None:
    """Each machine on one is a crash of its own; the host was fenced, and is whole again."""
    running = site.grip.running()
    with campaign(site, 1, tmp_path, fault="hang") as process:
        _, said = process.communicate()
    assert process.returncode == 0, said
    history = trials.resume(tmp_path / "history.jsonl")
    (host,) = {trial.before for trial in history}
    assert sorted(trial.crash.vm for trial in history) == sorted(running[host])
    assert {trial.number for trial in history} == {0}
    assert {trial.step for trial in history} == {"RESTART"}
    assert site.grip.run(host, "hostname").out == f"{host}\n"
    labels = [span.label for span in campaign_spans(read(tmp_path / MARKS), [])]
    assert labels == [f"{host}: hang"]


def it_is_repaired(site: RunningSite, vm: str, folder: Path) -> None:
    """A machine that is off is installed anew by the campaign, not by the controllers."""
    begun, decided = time.time(), len(actions(site))
    Campaign(site.grip, Asked(("poweroff",), 1, folder, "fast"), print)._repair(vm)  # noqa: SLF001
    assert [e.of for e in site.grip.events() if e.kind is Kind.INSTALLED and e.time > begun] == [vm]
    assert len(actions(site)) == decided
    assert site.vm(vm).run("hostname").out == f"{vm}\n"
    assert site.status()["virtual_machines"][vm]["paused"] is None


def test_a_machine_that_only_healing_brings_back(site: RunningSite) -> None:
    """Nobody reaches it by its network: it is healed after the controllers' first action."""
    before = time.time()
    done = subprocess.run(
        [*command(site, "crash"), "vm1", "network", "--wait", "--json"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (told,) = json.loads(done.stdout)["machines"]
    assert (told["good"], told["step"]) == (True, "REBOOT")
    (healed,) = [e for e in site.grip.events() if e.kind is Kind.HEAL and e.time > before]
    (acted,) = [event for event in actions(site) if event.time > before]
    assert acted.time < healed.time


def test_a_machine_that_is_overloaded_until_it_is_healed(site: RunningSite) -> None:
    """Which hears nothing but its keyboard; it is healed before the controllers miss it."""
    settings = "cd /proc/sys/kernel && cat printk sched_rt_runtime_us sysrq"
    machine, before = site.vm("vm1"), site.vm("vm1").run(settings).out
    machine.crash("overload")
    until(lambda: not is_answered(site, "vm1"), "vm1 to be overloaded")
    assert site.grip.faults() == [("vm1", "overload")]
    machine.heal()
    until(lambda: is_answered(site, "vm1"), "vm1 to answer")
    assert site.grip.faults() == []
    until(lambda: machine.run(settings).out == before, "vm1 to be as before")


def is_answered(site: RunningSite, vm: str) -> bool:
    return site.grip.run("one", "ping", "-c1", "-W2", site.grip.address(vm)).rc == 0


@contextmanager
def campaign(
    site: RunningSite, crashes: int, folder: Path, *options: str, fault: str = "poweroff"
) -> Iterator[subprocess.Popen[str]]:
    """A campaign as people type it, on the site that runs."""
    words = ["--crashes", str(crashes), "--fault", fault, "--seed", "2", "-o", str(folder)]
    with subprocess.Popen(
        [*command(site, "campaign"), *words, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process


def command(site: RunningSite, word: str) -> list[str]:
    program = Path(sys.executable).with_name("3rc")
    return [str(program), "testbed", word, "--run", site.testbed.run.id]


def struck(site: RunningSite, since: float) -> list[Event]:
    return [e for e in site.grip.events() if e.kind is Kind.FAULT and e.time > since]


def actions(site: RunningSite) -> list[Event]:
    """What the controllers have done to machines."""
    return [
        event for event in site.grip.events()
        if event.kind is Kind.DECISION and event.detail.get("what") == "action"
    ]  # fmt: skip


def test_a_physical_host_whose_power_is_cut(site: RunningSite) -> None:
    before = len(site.log())
    home = site.vm("vm2").host
    (other,) = {"ph1", "ph2"} - {home}
    site.host(home).power_off()
    trial = site.wait_recovered("vm2", within=WITHIN)
    assert (trial.before, trial.after) == (home, other)
    assert site.vm("vm2").host == other
    assert site.status()["virtual_machines"]["vm2"]["host"] == other
    told(site, before, "vm2", trial)
    site.host(home).heal()
    assert site.grip.run(home, "hostname").out == f"{home}\n"


def test_a_machine_whose_boot_is_erased_and_a_node_meanwhile(
    site: RunningSite, node_disks: None
) -> None:
    """It is installed anew, by what DNS says of it: `judging.py` looks at that.

    Nothing of it is needed for the worker node, which boots the disk that its link says.
    """
    assert node_disks is None
    before = len(site.log())
    site.vm("vm1").crash("erase-boot")
    for disk, words in (("disk1", "0: DISK ONE"), ("disk2", "1: DISK TWO")):
        assert words in booted(site, "wn1", disk, words)
    trial = site.wait_recovered("vm1", within=REINSTALLED_WITHIN)
    assert trial.step == "REINSTALL"
    assert trial.crash.install > 0
    told(site, before, "vm1", trial)
    assert site.vm("vm1").run(f"cat {MIDDLEWARE}").out == "base on vm1\nce on vm1\n"


def test_a_zone_of_former_times_harms_no_machine_that_runs(site: RunningSite) -> None:
    """As the command line waits for it: asked of DNS itself, meanwhile and after the healing."""
    command = (str(Path(sys.executable).with_name("3rc")), "testbed", "crash", "-", "dns")
    words = ("--set", "mode=stale", "--wait", "--json", "--run", site.testbed.run.id)
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["good"], told["wrong"]) == (0, True, [])
    assert "one: DNS does not say that vm1 is 192.168.30.21" in told["seen"]
    assert told["began"] < told["healed"] < told["right"]


def test_a_monitor_that_lies_takes_no_machine_down(site: RunningSite) -> None:
    outlived = site.outlived("one", "gmetad", silent=["vm1"])
    assert outlived.wrong == ()
    assert outlived.seen == ("the gmetad on one does not hear vm1",)
    assert "vm1: the monitor has lost it, but it answers when asked directly" in outlived.said


@pytest.fixture
def node_disks(site: RunningSite) -> Iterator[None]:
    """The worker node's disks say which they are; it is off."""
    site.testbed.power("wn1", "off")
    for number, word in (("1", "ONE"), ("2", "TWO")):
        disk = site.testbed.run.folder / "disks" / f"wn1-{number}.img"
        with disk.open("r+b") as file:
            file.write(boot_sector(f": DISK {word}"))
    yield
    site.testbed.power("wn1", "off")


def booted(site: RunningSite, node: str, target: str, words: str) -> str:
    """What a node says on its console when it is switched on with its link at `target`."""
    console = site.testbed.run.logs / f"{node}.console.log"
    offset = console.stat().st_size
    site.grip.boot_link(node, target)
    site.testbed.power(node, "on")
    try:
        until(lambda: words in since(console, offset), f"{node} to boot {target}")
    finally:
        site.testbed.power(node, "off")
    return since(console, offset)


def since(console: Path, offset: int) -> str:
    return console.read_bytes()[offset:].decode("utf-8", errors="replace")


def until(condition: Callable[[], bool], what: str, seconds: float = BOOT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.3)


def told(site: RunningSite, before: int, vm: str, trial: Trial) -> None:
    """The controllers' log says since then what was done, and their record where it is now."""
    lines = site.log()[before:]
    print("\n".join(lines))  # noqa: T201 - beside a failure
    done = f">> {trial.step} VM {vm} on PH {trial.after}"
    assert any(line.startswith(done) for line in lines)
    assert any(f" -- {vm} - " in line and line.endswith(trial.step) for line in lines)
    record = site.grip.run(site.grip.controller, "cat", f"{site.grip.state_directory}/vm/{vm}").out
    assert trial.after in record.split()
