"""What the simulated world does when it is asked, and that it is the same every time."""

from __future__ import annotations

import pytest

from tests.runtime.simulation.support import SITE, outcome, scenario, small
from threerc.runtime.errors import Unreachable
from threerc.runtime.observation import Observation
from threerc.runtime.simulation.faults import FAULTS
from threerc.runtime.simulation.guests import Stage
from threerc.runtime.simulation.invariants import TWO_COPIES
from threerc.runtime.simulation.machines import Ssh
from threerc.runtime.simulation.monitors import Source
from threerc.runtime.simulation.simulation import Simulation, Start


def begun() -> Simulation:
    """A site that nobody controls."""
    simulation = Simulation(small(power=True), Start(time=1_700_000_000.0))
    for controller in simulation.controllers.values():
        controller.off = True
    return simulation


def seen(simulation: Simulation, source: int = 0) -> Observation:
    return simulation.site.sources[source].say(simulation.site)


def test_the_same_scenario_is_the_same_to_the_letter() -> None:
    wanted = scenario({"at": "+5m", "fault": "erase-boot", "of": "vrt1"})
    first, again = outcome(wanted), outcome(wanted)
    assert first.log == again.log
    assert first.json == again.json


def test_another_seed_boots_in_another_time() -> None:
    fault = {"at": "+5m", "fault": "poweroff", "of": "vrt1"}
    downs = {
        outcome(scenario(fault, seed=seed)).json["virtual_machines"]["vrt1"]["down"][0]["seconds"]
        for seed in range(5)
    }
    assert len(downs) == 5


def test_one_more_fault_does_not_shuffle_the_rest() -> None:
    fault = {"at": "+5m", "fault": "poweroff", "of": "vrt1"}
    more = {"at": "+6m", "fault": "poweroff", "of": "vrt3"}
    alone, both = outcome(scenario(fault)), outcome(scenario(fault, more))
    assert (
        alone.json["virtual_machines"]["vrt1"]["down"]
        == (both.json["virtual_machines"]["vrt1"]["down"])
    )


def test_heartbeats_come_every_twenty_seconds_and_end_with_the_host() -> None:
    simulation = begun()
    simulation.run(simulation.timeline.now + 1000)
    assert all(each.silent <= 35 for each in seen(simulation).hosts.values())
    simulation.site.power_off("alfa01")
    simulation.run(simulation.timeline.now + 79)
    assert seen(simulation).down(["alfa02", "vrt2"], 4.0) == set()
    simulation.run(simulation.timeline.now + 2)
    assert seen(simulation).down(["alfa01", "vrt1", "alfa02"], 4.0) == {"alfa01", "vrt1"}


def test_a_collector_that_begins_anew_hears_of_all_within_twenty_seconds() -> None:
    simulation = begun()
    simulation.run(simulation.timeline.now + 100)
    simulation.site.beats.forget("bibe")
    assert len(seen(simulation, source=1).hosts) < 4
    simulation.run(simulation.timeline.now + 20)
    assert len(seen(simulation, source=1).hosts) == 8


def test_gmetad_that_has_nobody_to_ask_grows_old() -> None:
    simulation = begun()
    gmetad: Source = simulation.site.sources[0]
    for name in ("bibe", "bussolo"):
        next(s for s in simulation.site.sources if s.host == name and not s.polls).mode = "dead"
    simulation.site.monitors_changed()
    simulation.run(simulation.timeline.now + 100)
    assert 100 <= gmetad.age(simulation.site) < 115


def test_a_vm_boots_installs_and_reinstalls_for_ever_if_its_link_says_so() -> None:
    simulation = begun()
    guest = simulation.site.guests["vrt1"]
    guest.link = "sl4"
    guest.begin_again("alfa01")
    simulation.run(simulation.timeline.now + 20)
    assert guest.copies["alfa01"].stage is Stage.INSTALL
    simulation.run(simulation.timeline.now + 1200)
    assert guest.installations == 3
    guest.link = "local"
    simulation.run(simulation.timeline.now + 600)
    assert guest.serving


def test_an_installation_that_is_interrupted_leaves_nothing_to_boot() -> None:
    simulation = begun()
    guest = simulation.site.guests["vrt1"]
    guest.link = "sl4"
    guest.begin_again("alfa01")
    simulation.run(simulation.timeline.now + 60)
    guest.end("alfa01")
    guest.link = "local"
    guest.start(simulation.site.hosts["alfa01"])
    simulation.run(simulation.timeline.now + 300)
    assert guest.copies["alfa01"].stage is Stage.STUCK


def test_a_copy_on_a_host_that_is_cut_off_counts() -> None:
    simulation = begun()
    site = simulation.site
    site.hosts["alfa01"].cut = True
    site.network_changed()
    site.guests["vrt1"].start(site.hosts["alfa02"])
    assert [each.kind for each in simulation.invariants.violations] == [TWO_COPIES]


@pytest.mark.parametrize("powered_off", [False, True])
def test_an_order_may_be_carried_out_when_nobody_waits_any_more(powered_off: bool) -> None:
    simulation = begun()
    site, begin = simulation.site, simulation.timeline.now
    site.guests["vrt1"].end("alfa01")
    site.hosts["alfa02"].ssh, site.hosts["alfa02"].late = Ssh.LATE, 100.0
    there = simulation.controllers["bibe"].world.hypervisor("alfa02")
    given_up: list[float] = []

    def order() -> None:
        with pytest.raises(Unreachable):
            there.start("vrt1")
        given_up.append(simulation.timeline.now - begin)

    simulation.invariants.begins("bibe")
    simulation.timeline.start(order)
    simulation.run(begin + 99)
    assert given_up == [pytest.approx(60.3)]
    assert not site.guests["vrt1"].copies
    if powered_off:
        site.power_off("alfa02")
        site.power_on("alfa02")
    simulation.run(begin + 101)
    assert list(site.guests["vrt1"].copies) == ([] if powered_off else ["alfa02"])


def test_an_order_that_is_late_but_not_too_late_is_only_slow() -> None:
    fault = {"at": "+4m", "fault": "ssh", "of": "alfa[01-03]", "mode": "late", "seconds": 10.0}
    crash = {"at": "+5m", "fault": "poweroff", "of": "vrt1"}
    found = outcome(scenario(fault, crash))
    assert "RESTART VM vrt1 on PH" in found.log
    assert found.simulation.site.guests["vrt1"].serving


@pytest.mark.parametrize("fault", ["hang", "network", "gmond"])
def test_a_host_that_goes_on_is_heard_again(fault: str) -> None:
    host = {"at": "+10s", "until": "+55s", "fault": fault, "of": "alfa01"}
    found = outcome(scenario(host, duration="20m"))
    assert found.simulation.log == []
    assert found.simulation.site.guests["vrt1"].serving


def test_a_brief_site_is_as_large_as_it_says() -> None:
    assert set(begun().site.guests) == set(SITE["virtual_machines"])


def rebooted(name: str, mode: str, seconds: float, link: str = "local") -> Simulation:
    """A site whose vrt1 boots, with that link, while a service answers in some way."""
    simulation = begun()
    FAULTS[name, "site"].begin(simulation, "", {"mode": mode})
    guest = simulation.site.guests["vrt1"]
    guest.link = link
    guest.begin_again("alfa01")
    simulation.run(simulation.timeline.now + seconds)
    return simulation


@pytest.mark.parametrize(
    ("name", "mode", "installs"),
    [
        ("dhcp", "stale", False),
        ("dhcp", "no-boot", False),
        ("tftp", "empty", False),
        ("tftp", "stale", False),
        ("dns", "stale", True),
        ("dns", "empty", True),
        ("dns", "dead", True),
    ],
)
def test_services_that_lie_and_a_link_that_says_install(
    name: str, mode: str, installs: bool
) -> None:
    simulation = rebooted(name, mode, 60, link="sl4")
    stage = simulation.site.guests["vrt1"].copies["alfa01"].stage
    assert (stage is Stage.INSTALL) == installs


def test_a_zone_that_lies_ends_an_installation_and_no_zone_does_not() -> None:
    for mode, installations in (("stale", 1), ("empty", 1), ("dead", 0)):
        simulation = rebooted("dns", mode, 60, link="sl4")
        simulation.site.guests["vrt1"].link = "local"
        simulation.run(simulation.timeline.now + 1200)
        assert simulation.site.guests["vrt1"].installations == installations


def test_a_tftp_server_of_former_times_installs_for_ever_who_was_to_be_installed_then() -> None:
    simulation = begun()
    guest = simulation.site.guests["vrt1"]
    guest.link = "sl4"
    FAULTS["tftp", "site"].begin(simulation, "", {"mode": "stale"})
    guest.link = "local"
    guest.begin_again("alfa01")
    simulation.run(simulation.timeline.now + 60)
    assert guest.copies["alfa01"].stage is Stage.INSTALL
    end = FAULTS["tftp", "site"].end
    assert end is not None
    end(simulation, "")
    simulation.run(simulation.timeline.now + 1200)
    assert (guest.installations, guest.serving) == (1, True)


def test_who_boots_at_an_address_of_former_times_is_not_found_until_it_boots_again() -> None:
    simulation = rebooted("dhcp", "stale", 600)
    guest = simulation.site.guests["vrt1"]
    assert guest.copies["alfa01"].stage is Stage.UP
    assert (guest.reachable, guest.serving, guest.beats) == (False, False, False)
    simulation.site.answer("dhcp", "ok")
    assert not guest.serving
    guest.begin_again("alfa01")
    simulation.run(simulation.timeline.now + 600)
    assert guest.serving
    assert guest.beats
