"""Faults of hosts, services and monitors on the service side of examples/ci: what is struck, and
that healing leaves nothing of it, whatever has happened in between.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import requires_real
from tests.testbed import without_machines
from threerc.runtime.simulation import campaign as simulated
from threerc.testbed import checks, crashes
from threerc.testbed.campaign import Asked, Campaign
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults.base import nothing
from threerc.testbed.grip import Grip
from threerc.testbed.outliving import Outliving
from threerc.testbed.site import RunningSite
from threerc.testbed.trials import Trial

pytestmark = requires_real()

SECONDS = 45.0
HOSTS = re.compile(r"<HOST [^>]*>")
DUMP = "exec 3<>/dev/tcp/192.168.30.1/%d; cat <&3"
GMETAD, COLLECTOR = 8651, 8649
HOLDERS = ("one", "two")
COMMAND = ("curl", "-sS", "--max-time", "3")


@pytest.fixture(scope="module")
def grip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grip]:
    folder = tmp_path_factory.mktemp("faults")
    with without_machines.running(folder, "fast", updated(folder)) as testbed:
        yield Grip(testbed)


def updated(folder: Path) -> Path:
    """The site with `updates`, for which cron runs besides the controllers."""
    shutil.copytree(without_machines.SITE.parent, folder / "ci")
    site = folder / "ci" / without_machines.SITE.name
    site.write_text(site.read_text() + "\nupdates: {command: /bin/true, every: 60}\n")
    return site


def strike(grip: Grip, target: str, name: str, **options: object) -> None:
    crashes.begin(grip, crashes.find_fault(grip, target, name), target, options)


def heal(grip: Grip, target: str, name: str) -> None:
    crashes.heal(grip, crashes.find_fault(grip, target, name), target, {})


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS:.0f} s in vain for {what}"
        time.sleep(0.3)


def reaches(grip: Grip, host: str, url: str) -> bool:
    return grip.run(host, *COMMAND, "-o", "/dev/null", url).rc == 0


def listed(grip: Grip, port: int, asks: str = "two") -> str:
    """What a monitor of `one` says to whoever asks."""
    return grip.run(asks, "bash", "-c", DUMP % port).out


def daemons(grip: Grip, host: str) -> dict[str, bool]:
    (found,) = (c for c in grip.testbed.status()["capsules"] if c["name"] == host)
    return {each["name"]: each["running"] for each in found["daemons"]}


@pytest.mark.parametrize("name", ["hang", "network", "libvirtd", "ssh"])
def test_a_host_that_was_fenced_meanwhile_is_whole_again(grip: Grip, name: str) -> None:
    """Its power is off, as a controller leaves it that could not reach it."""
    strike(grip, "ph1", name)
    grip.power("ph1", on=False)
    heal(grip, "ph1", name)
    assert all(daemons(grip, "ph1").values())
    assert reaches(grip, "ph1", "http://192.168.30.1/post/install.sh")


def test_a_cut_outlives_the_power_of_a_host(grip: Grip) -> None:
    """Nobody plugs in a cable by switching a host off and on."""
    url = "http://192.168.30.1/post/install.sh"
    strike(grip, "ph2", "network")
    assert not reaches(grip, "ph2", url)
    for on in (False, True):
        grip.power("ph2", on=on)
    assert not reaches(grip, "ph2", url)
    heal(grip, "ph2", "network")
    until(lambda: reaches(grip, "ph2", url), "the network of ph2")


def test_a_host_that_hangs_answers_nobody(grip: Grip) -> None:
    ssh = f"timeout 3 bash -c '{DUMP % 22}'".replace("cat <&3", "head -c 4 <&3")
    assert grip.run("two", "sh", "-c", ssh).out == "SSH-"
    ping = ("ping", "-c1", "-W2", "192.168.30.1")
    assert grip.run("two", *ping).rc == 0
    strike(grip, "one", "hang")
    assert grip.run("two", "sh", "-c", ssh).out == ""
    assert grip.run("two", *ping).rc == 1
    heal(grip, "one", "hang")
    assert grip.run("two", "sh", "-c", ssh).out == "SSH-"
    assert grip.run("two", *ping).rc == 0


@pytest.mark.parametrize("options", [{}, {"mode": "hang"}], ids=str)
def test_ssh_that_is_dead_or_hangs(grip: Grip, options: dict[str, str]) -> None:
    asked = ("timeout", "3", "bash", "-c", "exec 3<>/dev/tcp/192.168.30.11/22; head -c 4 <&3")
    strike(grip, "ph1", "ssh", **options)
    assert grip.run("two", *asked).out == ""
    heal(grip, "ph1", "ssh")
    assert grip.run("two", *asked).out == "SSH-"
    heal(grip, "ph1", "ssh")


def test_a_gmetad_that_knows_no_host_or_not_all(grip: Grip) -> None:
    until(lambda: 'HOST NAME="ph1' in listed(grip, GMETAD), "gmetad to know ph1")
    strike(grip, "one", "gmetad", mode="empty")
    assert "<HOST " not in listed(grip, GMETAD)
    assert "<HOST " not in listed(grip, GMETAD, asks="one")
    assert "<HOST " in listed(grip, COLLECTOR)
    heal(grip, "one", "gmetad")
    assert 'HOST NAME="ph1' in listed(grip, GMETAD)


def test_a_gmetad_that_says_that_a_host_is_silent(grip: Grip) -> None:
    """As controllers read it; they ask the host itself before they act, and it answers."""
    until(lambda: up(grip, "ph1") and up(grip, "ph2"), "both hosts to be heard")
    strike(grip, "one", "gmetad", silent=["ph1"])
    assert grip.status()["source"] == "gmetad one:8651"
    assert (up(grip, "ph1"), up(grip, "ph2")) == (False, True)
    heal(grip, "one", "gmetad")
    assert up(grip, "ph1")


def up(grip: Grip, host: str) -> bool:
    return bool(grip.status()["physical_hosts"][host]["up"])


def test_a_controller_sees_that_the_data_of_a_gmetad_grow_old(grip: Grip) -> None:
    """And that nobody has died of that. Data older than a minute are not believed at all."""
    strike(grip, "one", "gmetad", mode="stale")
    until(lambda: grip.status()["age"] > 12, "data of gmetad that are old")
    assert grip.status()["source"] == "gmetad one:8651"
    assert up(grip, "ph1")
    heal(grip, "one", "gmetad")
    assert grip.status()["age"] < 12


@pytest.mark.parametrize("options", [{}, {"mode": "frozen"}, {"mode": "empty"}], ids=str)
def test_a_collector_that_is_dead_or_lies(grip: Grip, options: dict[str, str]) -> None:
    until(lambda: 'HOST NAME="ph1' in listed(grip, COLLECTOR), "the collector to hear ph1")
    strike(grip, "one", "collector", **options)
    assert options or grip.heard()["one"] == {}
    first = listed(grip, COLLECTOR)
    assert ("<HOST " in first) == (options == {"mode": "frozen"})
    time.sleep(3)
    assert HOSTS.findall(listed(grip, COLLECTOR)) == HOSTS.findall(first)
    heal(grip, "one", "collector")
    until(
        lambda: HOSTS.findall(listed(grip, COLLECTOR)) != HOSTS.findall(first),
        "the collector to hear anything",
    )


def test_a_collector_that_starts_again_has_forgotten_who_is_silent(grip: Grip) -> None:
    until(lambda: {"ph1", "ph2"} <= {*grip.heard()["two"]}, "two to hear both hosts")
    grip.service("ph2", "gmond", runs=False)
    assert "ph2" in grip.heard()["two"]
    strike(grip, "two", "collector-restart")
    until(lambda: "ph1" in grip.heard()["two"], "two to hear ph1 again")
    assert "ph2" not in grip.heard()["two"]
    grip.service("ph2", "gmond", runs=True)
    until(lambda: "ph2" in grip.heard()["two"], "two to hear ph2 again")


def test_services_of_the_site(grip: Grip) -> None:
    for name, daemon in (("dhcp", "dhcpd"), ("tftp", "tftpd"), ("dns", "named")):
        holders = grip.providers(name)
        strike(grip, "", name)
        assert not any(daemons(grip, host)[daemon] for host in holders)
        heal(grip, "", name)
        assert all(daemons(grip, host)[daemon] for host in holders)
        heal(grip, "", name)


def amiss(grip: Grip, name: str, target: str, since: float | None = None) -> tuple[str, ...]:
    """What is not right of what a fault strikes."""
    return checks.complaints(grip, name, target, time.time() if since is None else since)


def told(grip: Grip, name: str, kind: str, server: str = "192.168.30.1") -> str:
    """What DNS says, as dig tells it."""
    asked = ("dig", "+short", "+time=2", "+tries=1", f"@{server}", f"{name}.ci.example.org", kind)
    return grip.run("ph1", *asked).out.strip()


@pytest.mark.parametrize(
    ("name", "mode", "seen"),
    [
        ("dns", "dead", ["two: DNS does not answer for "]),
        (
            "dns",
            "stale",
            ["has serial 0 of ", "not say that vm1 is 192", 'that vm1 is "mini" "ce"'],
        ),
        (
            "dns",
            "empty",
            [
                "has serial 0 of ",
                "not say that vm1 is 192",
                'that vm1 is "mini" "ce"',
                "two: DNS does not say that 21 is vm1.ci.example.org.",
            ],
        ),
        ("dhcp", "dead", ["one: DHCP offers 02:00:c0:a8:1e:01 nothing"]),
        ("dhcp", "stale", ["offers 02:00:c0:a8:1e:15 192.168.30.71, not 192.168.30.21"]),
        ("dhcp", "no-boot", ["tells 02:00:c0:a8:1e:15 no file to boot"]),
        ("tftp", "dead", ["gives no pxelinux.cfg/C0A81E15", "gives no pxelinux.0"]),
        ("tftp", "empty", ["gives another pxelinux.cfg/C0A81E15", "another pxelinux.0"]),
    ],
)
def test_services_that_are_dead_or_lie_until_they_are_healed(
    grip: Grip, name: str, mode: str, seen: list[str]
) -> None:
    """Also when their host is switched off and on meanwhile."""
    host = "two" if name == "dns" else "one"
    assert amiss(grip, name, host) == ()
    strike(grip, host, name, mode=mode)
    found = amiss(grip, name, host)
    assert [each for each in seen if not any(each in line for line in found)] == []
    if host == "two":  # where no other daemon of the site is missed
        for on in (False, True):
            grip.power(host, on=on)
        assert amiss(grip, name, host) == found
    heal(grip, host, name)
    assert amiss(grip, name, host) == ()
    lies = "ls -d /etc/bind/lie /etc/dhcp/lie-* /etc/kea/lie-* /srv/*.lie"
    assert grip.run(host, "sh", "-c", lies).out == ""


def test_a_dhcp_server_that_names_another_file_to_boot(grip: Grip) -> None:
    strike(grip, "one", "dhcp", mode="no-boot")
    lie = 's/^ *use-host-decl-names on;/filename "other.0"; &/'
    grip.run("one", "sed", "-i", lie, "/etc/dhcp/lie-dhcpd.conf")
    grip.testbed.signal("one", "dhcpd", "TERM")
    said = "one: DHCP tells 02:00:c0:a8:1e:15 to boot other.0, which no file says"
    until(lambda: said in amiss(grip, "dhcp", "one"), "another file to boot")
    heal(grip, "one", "dhcp")
    assert amiss(grip, "dhcp", "one") == ()


def struck(grip: Grip) -> list[Event]:
    return [event for event in grip.own_events() if "fault" in event.detail]


def test_a_service_lies_on_all_hosts_that_have_it_or_on_none(grip: Grip) -> None:
    grip.power("two", on=False)
    before = struck(grip)
    with pytest.raises(TestbedError, match="dns of two cannot lie: the power is off"):
        strike(grip, "", "dns", mode="stale")
    grip.power("two", on=True)
    grip.run("two", "mv", "/etc/bind", "/etc/away")
    with pytest.raises(TestbedError, match="No such file or directory: '/etc/bind'"):
        strike(grip, "", "dns", mode="stale")
    grip.run("two", "mv", "/etc/away", "/etc/bind")
    assert amiss(grip, "dns", "") == ()
    assert struck(grip) == before


def test_what_could_neither_be_done_nor_undone_can_be_healed_later(grip: Grip) -> None:
    """Also on the other hosts, where the first one cannot be healed."""
    cover = "mkdir -p /etc/bind/lie && mount -t tmpfs none /etc/bind/lie"
    grip.run("two", "sh", "-c", cover)
    with pytest.raises(TestbedError, match=r"two: .*(?s:.)*busy: '/etc/bind/lie'"):
        strike(grip, "", "dns", mode="stale")
    assert grip.faults() == [("*", "dns")]
    assert amiss(grip, "dns", "one") == ()
    grip.run("two", "umount", "/etc/bind/lie")
    grip.run("one", "sh", "-c", cover)
    grip.service("two", "named", runs=False)
    with pytest.raises(TestbedError, match=r"one: .*(?s:.)*busy: '/etc/bind/lie'"):
        heal(grip, "", "dns")
    assert daemons(grip, "two")["named"]
    grip.run("one", "umount", "/etc/bind/lie")
    heal(grip, "", "dns")
    assert grip.faults() == []
    assert amiss(grip, "dns", "") == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "stael"}, "dns has no mode stael, only dead, stale, empty"),
        ({"silent": ["ph1"]}, r"dns has no key silent \(there are: mode\)"),
    ],
    ids=str,
)
def test_what_a_fault_does_not_know_is_refused(
    grip: Grip, options: dict[str, object], said: str
) -> None:
    site = RunningSite(grip.testbed)
    before = struck(grip)
    with pytest.raises(TestbedError, match=said):
        site.crash("two", "dns", **options)
    site.heal()
    assert amiss(grip, "dns", "two") == ()
    assert struck(grip) == before


def test_a_fault_that_is_refused_is_not_healed(grip: Grip) -> None:
    """Healing would switch its host on."""
    grip.power("two", on=False)
    before = struck(grip)
    with pytest.raises(TestbedError, match="two is off"):
        RunningSite(grip.testbed).outlived("two", "dns", mode="stale")
    assert not grip.is_on("two")
    assert struck(grip) == before
    grip.power("two", on=True)


def test_what_dns_says_of_former_times(grip: Grip) -> None:
    strike(grip, "one", "dns", mode="stale")
    assert told(grip, "vm1", "A") == "192.168.30.71"
    assert told(grip, "vm1", "HINFO") == '"mini" "base"'
    assert told(grip, "vm1", "A", "192.168.30.2") == "192.168.30.21"
    heal(grip, "one", "dns")
    assert told(grip, "vm1", "A") == "192.168.30.21"
    assert told(grip, "vm1", "HINFO") == '"mini" "ce"'


def test_tftp_gives_the_links_of_when_it_grew_stale(grip: Grip) -> None:
    strike(grip, "one", "tftp", mode="stale")
    assert amiss(grip, "tftp", "one") == ()
    grip.boot_link("vm1", "install")
    assert amiss(grip, "tftp", "one") == (
        "one: TFTP gives another pxelinux.cfg/C0A81E15 than there is",
    )
    assert grip.link("vm1") == "mini"
    heal(grip, "one", "tftp")
    assert amiss(grip, "tftp", "one") == ()
    grip.boot_link("vm1", "local")


def test_a_host_that_is_off_is_struck_and_healed_by_what_its_daemons_do_when_it_is_on(
    grip: Grip,
) -> None:
    grip.power("two", on=False)
    strike(grip, "", "dns")
    grip.power("two", on=True)
    assert not daemons(grip, "two")["named"]
    grip.power("two", on=False)
    heal(grip, "", "dns")
    assert not grip.is_on("two")
    grip.power("two", on=True)
    assert daemons(grip, "two")["named"]


@pytest.mark.parametrize(
    ("name", "target", "options", "seen"),
    [
        ("gmetad", "one", {}, "the gmetad on one does not hear "),
        ("gmetad", "one", {"mode": "empty"}, "the gmetad on one does not hear "),
        ("collector", "two", {}, "the collector on two does not hear "),
        ("collector", "one", {"silent": ["ph1"]}, "the collector on one does not hear ph1, vm1"),
        ("switch", "sw1", {}, "switch sw1 does not forward lan"),
        ("switch", "ph1 two", {}, "ph1 cannot be reached"),
        ("state", "", {}, "one: the shared state cannot be written: "),
        ("state", "", {"mode": "full"}, "the shared state cannot be written: "),
        ("libvirtd", "ph1", {}, "ph1 does not tell the controllers what it runs"),
        ("ssh", "ph2", {}, "ph2 does not tell the controllers what it runs"),
        ("ssh", "two", {}, "the sshd of two does not answer"),
        ("ssh", "two", {"mode": "hang"}, "the sshd of two does not answer"),
        ("hang", "two", {}, "two cannot be reached"),
        ("board", "ph1", {}, "the board of ph1 does not say whether it is on"),
        ("network", "two", {}, "two cannot be reached"),
        ("power", "two", {}, "two is off"),
    ],
)
def test_each_fault_is_seen_and_its_end_too(
    grip: Grip, name: str, target: str, options: dict[str, object], seen: str
) -> None:
    """No machine was ever installed here, which is all that is not heard in the end."""
    silent = "does not hear vm1, vm2"

    def left(since: float) -> list[str]:
        return [each for each in amiss(grip, name, target, since) if silent not in each]

    until(lambda: left(0.0) == [], f"all to be well before {name}")
    strike(grip, target, name, **options)
    assert any(seen in each for each in amiss(grip, name, target, time.time()))
    heal(grip, target, name)
    healed = time.time()
    until(lambda: left(healed) == [], f"{name} to be healed")


@pytest.mark.parametrize(
    ("name", "target", "happens", "seen"),
    [
        ("controller", "two", True, ["the controller on two has not looked at the site since"]),
        ("controller", "two", False, []),
        ("gmond", "ph2", False, []),
        ("gmond", "ph2", True, [f"the collector on {each} does not hear ph2" for each in HOLDERS]),
    ],
)
def test_who_is_missed_only_after_a_while_is_waited_for(
    grip: Grip,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    target: str,
    happens: bool,
    seen: list[str],
) -> None:
    """What has not happened is not seen; and what was heard before the healing is no proof."""
    until(lambda: amiss(grip, name, target, 0.0) == (), f"all to be well before {name}")
    monkeypatch.setattr(crashes, "UP_SECONDS", 0.0)
    fault = crashes.find_fault(grip, target, name)
    fault = fault if happens else replace(fault, begin=nothing)
    outlived = Outliving(grip, target, fault, {}, "fast").run(lambda _: None)
    assert list(outlived.seen) == seen
    until(lambda: amiss(grip, name, target, outlived.healed) == (), f"{name} to be healed")
    assert amiss(grip, name, target, time.time() + 1) != ()


def test_a_fault_of_the_last_controller_is_judged(
    grip: Grip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lasts nobody can be asked, and nobody can do anything."""
    monkeypatch.setattr(crashes, "UP_SECONDS", 0.0)
    grip.power("two", on=False)
    outlived = RunningSite(grip.testbed).outlived("one", "power")
    assert outlived.seen == ("one is off",)
    assert "two: no power" in outlived.wrong
    assert daemons(grip, "one")["controller"]
    grip.power("two", on=True)


@pytest.mark.parametrize("name", ["network", "hang"])
def test_a_fault_of_all_controllers_is_seen_from_elsewhere(grip: Grip, name: str) -> None:
    """Who is cut off reaches himself still, and who hangs cannot be asked."""
    for host in HOLDERS:
        strike(grip, host, name)
    for host in HOLDERS:
        assert amiss(grip, name, host) != ()
        heal(grip, host, name)
    until(lambda: all(amiss(grip, name, host) == () for host in HOLDERS), f"{name} to be healed")


@pytest.mark.parametrize(
    ("target", "name", "said"),
    [
        ("", "switch", "switch strikes one of the switches: sw1, sw2"),
        ("ph1", "collector", "ph1 is no collector that controllers ask"),
        ("ph1", "collector-restart", "ph1 is no collector that controllers ask"),
        ("two", "gmetad", "two is no gmetad that controllers ask"),
    ],
)
def test_what_is_not_there_is_not_struck(grip: Grip, target: str, name: str, said: str) -> None:
    before = struck(grip)
    with pytest.raises(TestbedError, match=said):
        strike(grip, target, name)
    assert struck(grip) == before


def test_who_is_interrupted_while_he_waits_has_healed(grip: Grip) -> None:
    begun = time.time()
    program = str(Path(sys.executable).with_name("3rc"))
    words = ("crash", "two", "dns", "--wait", "--run", grip.testbed.run.id)
    with subprocess.Popen([program, "testbed", *words], stderr=subprocess.PIPE, text=True) as crash:
        until(lambda: any(each.time > begun for each in struck(grip)), "the fault")
        crash.send_signal(signal.SIGINT)
        _, said = crash.communicate()
    assert crash.returncode == 130
    assert "two: interrupted; dns is healed" in said
    assert grip.faults() == []
    assert amiss(grip, "dns", "two") == ()


def test_a_machine_that_is_down_is_named(grip: Grip) -> None:
    assert grip.down(grip.running()) == ["vm1", "vm2"]  # none was ever started here


@pytest.mark.parametrize(
    ("target", "name", "takes"),
    [
        ("vm1", "poweroff", True),
        ("vm1", "gmond", False),  # it answers the probe
        ("ph1", "hang", True),
        ("ph1", "ssh", False),
        ("one", "power", False),
    ],
)
def test_what_controllers_have_to_bring_back(
    grip: Grip, target: str, name: str, takes: bool
) -> None:
    fault = crashes.find_fault(grip, target, name)
    assert RunningSite(grip.testbed).takes_machines(fault, target) is takes


def test_a_host_is_looked_at_after_its_healing(grip: Grip, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that did not come back with it is told of its machines' recovery."""
    monkeypatch.setattr(crashes, "UP_SECONDS", 0.0)
    lost = simulated.Crash("vm1", time.time())
    trial = Trial(0, "power", "fast", lost, before="ph1", wrong=("lost",))
    grip.service("ph1", "gmond", runs=False)
    (found,) = RunningSite(grip.testbed)._afterwards("ph1", [trial])  # noqa: SLF001
    assert found.wrong == ("lost", "ph1: no gmond")
    grip.service("ph1", "gmond", runs=True)
    (found,) = RunningSite(grip.testbed)._afterwards("ph1", [trial])  # noqa: SLF001
    assert found.wrong == ("lost",)


def test_a_look_at_a_full_state_leaves_nothing_there(grip: Grip) -> None:
    def files() -> str:
        return grip.run("one", "ls", grip.state_directory).out

    before = files()
    strike(grip, "", "state", mode="full")
    assert amiss(grip, "state", "") != ()
    assert files() == before
    heal(grip, "", "state")
    assert amiss(grip, "state", "") == ()
    assert files() == before


@pytest.mark.parametrize("mode", ["lost", "full"])
def test_the_shared_state(grip: Grip, mode: str) -> None:
    def writes() -> int:
        script = f"mktemp -p {grip.state_directory} && echo x >$(mktemp -p {grip.state_directory})"
        return grip.run("two", "runuser", "-u", "ha", "--", "sh", "-c", script).rc

    assert writes() == 0
    strike(grip, "", "state", mode=mode)
    assert writes() != 0
    heal(grip, "", "state")
    assert writes() == 0


def writers(grip: Grip) -> list[str]:
    """The hosts that are on and on which a controller can write the shared state."""
    there = f"f=$(mktemp -p {grip.state_directory}) && echo x >$f; rc=$?; rm -f $f; exit $rc"
    user = ("runuser", "-u", "ha", "--", "sh", "-c", there)
    return [host for host in filter(grip.is_on, HOLDERS) if grip.run(host, *user).rc == 0]


def test_a_state_that_is_lost_where_a_host_is_off(grip: Grip) -> None:
    """It is not struck, and has the state when it comes on: what covers it is its own."""
    grip.power("two", on=False)
    strike(grip, "", "state")
    assert writers(grip) == []
    grip.power("two", on=True)
    assert writers(grip) == ["two"]
    strike(grip, "", "state")
    assert writers(grip) == []
    grip.power("one", on=False)
    heal(grip, "", "state")
    assert writers(grip) == ["two"]
    grip.power("one", on=True)
    assert writers(grip) == ["one", "two"]


def test_a_state_that_is_full_for_hosts_that_are_off_too(grip: Grip) -> None:
    grip.power("one", on=False)
    strike(grip, "", "state", mode="full")
    grip.power("one", on=True)
    assert writers(grip) == []
    grip.power("one", on=False)
    heal(grip, "", "state")
    grip.power("one", on=True)
    assert writers(grip) == ["one", "two"]


def test_a_state_that_nobody_has_is_not_struck(grip: Grip) -> None:
    for host in HOLDERS:
        grip.power(host, on=False)
    before = struck(grip)
    for mode in ("lost", "full"):
        with pytest.raises(TestbedError, match="no controller's host is on"):
            strike(grip, "", "state", mode=mode)
    assert struck(grip) == before
    for host in HOLDERS:
        grip.power(host, on=True)
    assert writers(grip) == ["one", "two"]


@pytest.mark.parametrize("undone", [True, False])
def test_a_state_that_is_lost_on_one_host_only(grip: Grip, undone: bool) -> None:
    """It is given back at once; where that fails, the fault is known, and is healed later."""
    away = [("two", "mount")] if undone else [("two", "mount"), ("one", "umount")]
    for host, program in away:
        grip.run(host, "mv", f"/usr/bin/{program}", "/usr/bin/away")
    with pytest.raises(TestbedError, match="two: mount -t tmpfs"):
        strike(grip, "", "state")
    for host, program in away:
        grip.run(host, "mv", "/usr/bin/away", f"/usr/bin/{program}")
    assert grip.faults() == ([] if undone else [("*", "state")])
    assert writers(grip) == (["one", "two"] if undone else ["two"])
    heal(grip, "", "state")
    assert (grip.faults(), writers(grip)) == ([], ["one", "two"])


def test_a_switch(grip: Grip) -> None:
    def bridges() -> set[str]:
        return {each["bridge"] for each in grip.testbed.status()["cables"]}

    before = bridges()
    strike(grip, "sw1", "switch")
    assert bridges().isdisjoint(before)
    assert reaches(grip, "ph2", "http://192.168.30.1/post/install.sh")
    heal(grip, "sw1", "switch")
    assert bridges() == before


def test_hosts_whose_switch_has_lost_its_uplink_only_reach_one_another(grip: Grip) -> None:
    def sees(host: str, other: str) -> bool:
        return grip.run(host, "ping", "-c", "1", "-W", "2", other).rc == 0

    two, ph1, ph2 = "192.168.30.2", "192.168.30.11", "192.168.30.12"
    for _ in range(2):
        strike(grip, "ph1 two", "switch")
    assert (sees("ph1", two), sees("ph1", ph2), sees("one", ph2)) == (True, False, True)
    heal(grip, "ph1 two", "switch")
    assert all(sees("ph2", each) for each in (two, ph1))


@pytest.mark.parametrize("target", ["one", "two"])
def test_a_controller(grip: Grip, target: str) -> None:
    strike(grip, target, "controller")
    assert not daemons(grip, target)["controller"]
    assert daemons(grip, target)["cron"]
    heal(grip, target, "controller")
    assert daemons(grip, target)["controller"]


def test_one_server_of_two(grip: Grip) -> None:
    """Both hosts have DNS: only the one that is named is struck."""
    strike(grip, "two", "dns")
    assert [daemons(grip, host)["named"] for host in ("one", "two")] == [True, False]
    heal(grip, "two", "dns")
    assert daemons(grip, "two")["named"]


@pytest.mark.parametrize(
    ("target", "name", "said"),
    [
        ("bibbe", "dhcp", "the testbed has no bibbe"),
        ("two", "state", "state cannot happen to two; there are "),
        ("", "power", "power cannot happen to the site; there are dhcp, dns, state, "),
    ],
)
def test_a_fault_of_the_site_has_no_other_name(
    grip: Grip, target: str, name: str, said: str
) -> None:
    with pytest.raises(TestbedError, match=said):
        crashes.find_fault(grip, target, name)


def test_a_service_that_is_healed_switches_no_host_on(grip: Grip) -> None:
    """A scenario may have cut its power besides: that ends when the scenario says so."""
    strike(grip, "two", "power")
    strike(grip, "", "dns")
    heal(grip, "", "dns")
    assert not grip.is_on("two")
    heal(grip, "two", "power")
    assert daemons(grip, "two")["named"]


def test_a_controller_that_can_be_reached_is_asked(grip: Grip) -> None:
    assert grip.controller == "one"
    strike(grip, "one", "network")
    assert grip.controller == "two"
    heard = grip.heard()
    assert heard["one"] == {}
    assert "ph1" in heard["two"]
    heal(grip, "one", "network")
    assert grip.controller == "one"


def test_the_board_of_one_host(grip: Grip) -> None:
    strike(grip, "ph1", "board")
    boards = daemons(grip, "boards")
    assert (boards["ipmi_sim-ph1"], boards["ipmi_sim-ph2"]) == (False, True)
    heal(grip, "ph1", "board")
    assert daemons(grip, "boards")["ipmi_sim-ph1"]
    with pytest.raises(TestbedError, match="one has no management board"):
        strike(grip, "one", "board")


def test_a_machine_that_cannot_be_installed(grip: Grip) -> None:
    """Its address, here of a host's bridge, is not answered; others are."""
    url, own = "http://192.168.30.1/post/install.sh", "192.168.30.21"
    grip.run("ph1", "ip", "address", "add", f"{own}/24", "dev", "br0")

    def installs() -> bool:
        return grip.run("ph1", *COMMAND, "-o", "/dev/null", "--interface", own, url).rc == 0

    assert installs()
    strike(grip, "vm1", "install-fails")
    assert not installs()
    assert reaches(grip, "ph2", url)
    for _ in range(2):
        heal(grip, "vm1", "install-fails")
    assert installs()
    grip.run("ph1", "ip", "address", "delete", f"{own}/24", "dev", "br0")


def test_what_is_left_of_a_machine_is_healed_where_a_host_is_off(grip: Grip) -> None:
    grip.power("ph1", on=False)
    for name in ("network", "disk-errors"):
        heal(grip, "vm1", name)
    grip.power("ph1", on=True)
    with pytest.raises(TestbedError, match="vm1 runs on no physical host"):
        strike(grip, "vm1", "network")


def test_all_faults_are_healed_also_where_one_cannot_be(grip: Grip) -> None:
    site = RunningSite(grip.testbed)
    site.crash("two", "dns")
    site.crash("ph1", "libvirtd")
    grip.run("two", "mv", "/etc/bind/named.conf", "/etc/bind/away")
    with pytest.raises(TestbedError, match="two: dns is not healed: two: named: "):
        site.heal()
    assert daemons(grip, "ph1")["libvirtd"]
    grip.run("two", "mv", "/etc/bind/away", "/etc/bind/named.conf")
    site.heal()
    assert daemons(grip, "two")["named"]


def test_a_host_without_machines_is_not_struck_and_waited_for(grip: Grip) -> None:
    with pytest.raises(TestbedError, match="no virtual machine runs on ph1"):
        RunningSite(grip.testbed).trials("ph1", "power")
    assert grip.is_on("ph1")


def test_a_campaign_without_any_machine_is_refused(grip: Grip, tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match="ci: no virtual machine runs"):
        Campaign(grip, Asked(("poweroff",), 1, tmp_path), print).run()


def test_what_is_not_up_again_after_a_fault_that_takes_no_machine(
    grip: Grip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No machine was ever installed here, and a daemon was dead before."""
    monkeypatch.setattr(crashes, "UP_SECONDS", 0.0)
    grip.service("ph2", "gmond", runs=False)
    outlived = RunningSite(grip.testbed).outlived("two", "dns", mode="stale")
    left = ("ph2: no gmond", "vm1: 0 copies of it run", "vm2: 0 copies of it run")
    assert (outlived.good, outlived.wrong, outlived.right) == (False, left, None)
    assert any("two: DNS has serial 0 of ci.example.org, not 1" in each for each in outlived.seen)
    assert outlived.healed > outlived.began
    grip.service("ph2", "gmond", runs=True)


def test_the_log_of_a_controller_has_the_one_that_they_share(grip: Grip) -> None:
    program = str(Path(sys.executable).with_name("3rc"))
    command = [program, "testbed", "logs", "--run", grip.testbed.run.id]
    shown = [
        subprocess.run([*command, host], capture_output=True, text=True, check=True).stdout
        for host in ("two", "ph1")
    ]
    assert [each.startswith("==> the controllers' log <==\n") for each in shown] == [True, False]


def test_what_cannot_be_done_is_no_event(grip: Grip) -> None:
    before = [event for event in grip.events() if event.kind is Kind.FAULT]
    with pytest.raises(TestbedError, match="ph1 is no gmetad that controllers ask"):
        strike(grip, "ph1", "gmetad", mode="stale")
    with pytest.raises(TestbedError, match="the testbed has no vm9"):
        strike(grip, "one", "gmetad", silent=["vm9"])
    assert [event for event in grip.events() if event.kind is Kind.FAULT] == before
