"""examples/ci for real, with the fixture that users have: crashed in each way, and recovered.

One lab for all tests: they take turns, in the order in which they stand here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.lab import requires_real
from tests.real.test_dualboot import boot_sector
from threerc.testbed.site import RunningSite
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


def has_looked(site: RunningSite, controller: str, since: float) -> bool:
    """Whether a controller has left in the shared state that it has looked since then."""
    path = f"{site.grip.state_directory}/state/seen/{controller}"
    changed = site.grip.run("one", "stat", "-c", "%Y", path).out
    return bool(changed) and float(changed) > since


def test_a_machine_that_is_powered_off(site: RunningSite) -> None:
    before = len(site.log())
    site.vm("vm1").crash()
    trial = site.wait_recovered("vm1", within=WITHIN)
    told(site, before, "vm1", trial)


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


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {BOOT_SECONDS:.0f} s in vain for {what}"
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
