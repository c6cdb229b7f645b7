"""Never two copies of a VM, whatever hosts, power and controllers do (thesis 2.14)."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress

import pytest

from tests.runtime.tiny_world import Died, TinyHost, TinyWorld, config
from threerc.runtime import operators
from threerc.runtime.config import ControllerConfig
from threerc.runtime.controller import tick
from threerc.runtime.ordering import Orderer
from threerc.runtime.records import Intent, Record, State
from threerc.runtime.world import Leave

SSH = (True, False)
KILL = ("ok", "refused", "lost", "unheard", "late")
START = ("ok", "refused", "lost", "unheard", "late")
POWER = ("none", "ok", "refused", "stuck", "late")
WHERE = ("alfa01", "alfa02", "")
"""Where the copy really is: where it should be, where somebody has moved it, nowhere."""


def worlds(*, host_is_silent: bool, late: bool = True) -> list[TinyWorld]:
    """A world for every combination of what can go wrong; gridce is silent in all of them."""
    found: list[TinyWorld] = []
    for ssh, kill, start, power, where in itertools.product(SSH, KILL, START, POWER, WHERE):
        if "late" in (kill, start, power) and not late:
            continue
        hosts = {
            "alfa01": TinyHost(ssh=ssh, kill=kill, power=power),
            "alfa02": TinyHost(start=start, running={"other"}),
            "alfa03": TinyHost(start=start),
        }
        if where:
            hosts[where].running.add("gridce")
        world = TinyWorld(hosts, silent={"gridce": 100.0}, loads={"alfa01": 11.0})
        if host_is_silent:
            world.silent["alfa01"] = 100.0
        found.append(world)
    return found


def ticks(world: TinyWorld, site: ControllerConfig, count: int) -> None:
    for number in range(count):
        with suppress(Died):
            tick(world, site, ("bibe", "bussolo")[number % 2])
        with suppress(Died):
            world.pass_time(60)
        for host in world.silent:
            world.silent[host] += 60


@pytest.mark.parametrize("host_is_silent", [False, True])
def test_with_every_combination_of_failures(host_is_silent: bool) -> None:
    started = 0
    for world in worlds(host_is_silent=host_is_silent):
        ticks(world, config(), 2)
        world.loads["alfa03"] = 11.0  # the next one chooses another host, but for what goes on late
        ticks(world, config(), 10)
        assert world.most <= 1, world.hosts
        started += world.most
    assert started > 20  # or it would prove nothing


def test_without_asking_for_leave_what_goes_on_late_starts_a_second_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or the worlds above would not show that it is needed."""
    monkeypatch.setattr(Orderer, "_leave", lambda _self, _vm: 60.0)
    found = [
        world for world in worlds(host_is_silent=False) if world.hosts["alfa01"].kill == "late"
    ]
    for world in found:
        ticks(world, config(), 2)
        world.loads["alfa03"] = 11.0
        ticks(world, config(), 10)
    assert any(world.most > 1 for world in found)


def test_when_a_controller_dies_in_the_middle_of_anything() -> None:
    """Of each tick's calls to the outside, each is once the last that it made."""
    for dies_at in range(1, 12):
        for world in worlds(host_is_silent=True, late=False):
            world.dies_at = dies_at
            ticks(world, config(), 12)
            assert world.most <= 1, (dies_at, world.hosts)


def test_the_power_of_a_host_is_not_cut_over_the_living() -> None:
    hosts = {
        "alfa01": TinyHost(ssh=False, power="ok", running={"gridce", "other"}),
        "alfa02": TinyHost(),
        "alfa03": TinyHost(),
    }
    world = TinyWorld(hosts, silent={"gridce": 100.0}, loads={"alfa01": 11.0})
    world.store.publish("other", "alfa01 2001-01-01/00:00:00 0")
    site = config()
    report = tick(world, site, "bibe")
    assert hosts["alfa01"].running == {"gridce", "other"}
    assert "alfa01 does not answer, but" in report.cases[0].reason
    assert "its power is not cut" in report.cases[0].reason


def test_without_power_control_it_waits_or_goes_on_as_the_site_says() -> None:
    def world() -> TinyWorld:
        hosts = {"alfa01": TinyHost(ssh=False), "alfa02": TinyHost(), "alfa03": TinyHost()}
        return TinyWorld(hosts, silent={"gridce": 100.0, "alfa01": 100.0})

    waiting = world()
    ticks(waiting, config(), 60)
    assert waiting.copies("gridce") == 0
    site = config(split_brain={"policy": "proceed", "after": 1200})
    going = world()
    ticks(going, site, 18)
    assert going.copies("gridce") == 0
    ticks(going, site, 4)
    assert going.copies("gridce") == 1


def test_a_controller_that_is_too_late_starts_nothing() -> None:
    """The other one has taken over while this one hung between the kill and the start."""
    hosts = {"alfa01": TinyHost(), "alfa02": TinyHost(), "alfa03": TinyHost()}
    world = TinyWorld(hosts, silent={"gridce": 100.0}, loads={"alfa01": 11.0})
    world.hosts["alfa01"].running.add("gridce")
    hypervisor = world.hypervisor
    asked = Counter[str]()

    def slow(host: str, leave: Leave | None = None) -> object:
        asked.update([host] if leave is not None else [])
        if asked["alfa03"] == 2:  # there it was killed, to be sure, and is to be started now
            world.time += 61
        return hypervisor(host, leave)

    world.hypervisor = slow  # type: ignore[method-assign,assignment]
    report = tick(world, config(), "bibe")
    assert asked == {"alfa01": 1, "alfa03": 2}
    assert world.copies("gridce") == world.most == 0
    assert "another controller has taken over, or it took too long" in report.cases[0].reason
    assert report.cases[0].step is None


def test_where_a_dead_controller_may_have_started_it_counts_too() -> None:
    """It died right after the start; then the host it had chosen was lost as well."""
    hosts = {"alfa01": TinyHost(), "alfa02": TinyHost(), "alfa03": TinyHost()}
    world = TinyWorld(hosts, silent={"gridce": 100.0}, loads={"alfa01": 11.0})
    while not world.copies("gridce"):
        world = TinyWorld(
            {name: TinyHost() for name in hosts},
            silent={"gridce": 100.0},
            loads=world.loads,
            dies_at=world.dies_at + 1,
        )
        ticks(world, config(), 1)
    assert world.hosts["alfa03"].running == {"gridce"}
    world.hosts["alfa03"].ssh = False
    world.silent["alfa03"] = 100.0
    ticks(world, config(), 20)
    assert world.most == 1
    assert world.copies("gridce") == 1


def opened(world: TinyWorld, **more: object) -> None:
    """A RESTART to alfa02 of which nobody knows how it ended; the copy is there."""
    intent = Intent(step="RESTART", to="alfa02", by="bussolo", since=world.time - 400)
    record = Record(host="alfa01", state=State.RESTARTED, tries=1, done=1, intent=intent)
    record = record.model_copy(update={"last": world.time - 400, **more})
    world.store.put("vm/gridce", record.dump(), 0)
    world.hosts["alfa02"].running.add("gridce")


def three() -> TinyWorld:
    return TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})


def test_up_on_a_host_that_does_not_answer_it_is_not_where_it_was() -> None:
    world = three()
    opened(world)
    world.hosts["alfa02"].ssh = False
    ticks(world, config(), 2)  # it is up, and nobody can say where
    world.silent |= {"gridce": 100.0, "alfa02": 100.0}
    ticks(world, config(), 20)
    assert world.copies("gridce") == 1


def test_a_reboot_does_not_forget_where_a_copy_may_be() -> None:
    world = three()
    steps = {"reboot": 1, "restart": 1, "reinstall": 0}
    site = config(recovery=config().recovery.model_dump() | {"steps": steps})
    opened(world, last=world.time - 4000)  # long ago: its history is cleared, and REBOOT is first
    world.hosts["alfa02"].ssh = False
    world.silent |= {"gridce": 100.0, "alfa02": 100.0}
    ticks(world, site, 30)
    assert world.copies("gridce") == 1


def test_a_host_that_the_site_has_not_any_more_may_still_run_it() -> None:
    world = three()
    world.store.put("vm/gridce", Record(host="old09", up=0.0).dump(), 0)
    world.silent["gridce"] = 100.0
    report = tick(world, config(), "bibe")
    assert world.copies("gridce") == 0
    assert "a host that the site does not have" in report.cases[0].reason
    assert operators.resume(world.store, config(), "gridce") == "gridce is cared for again"
    ticks(world, config(), 1)
    assert world.copies("gridce") == 1


@pytest.mark.parametrize(("start", "host"), [("refused", "alfa01"), ("unheard", "alfa02")])
def test_a_record_says_where_a_copy_may_be(start: str, host: str) -> None:
    """Refused, it surely does not run there: it may live on where it was, behind a lost network."""
    world = three()
    world.hosts["alfa02"].start = start
    world.hosts["alfa03"].ssh = False
    world.silent["gridce"] = 100.0
    world.loads["alfa01"] = 11.0
    report = tick(world, config(), "bibe")
    assert report.cases[0].to == "alfa02"
    assert (report.cases[0].after.host, report.cases[0].after.avoid) == (host, ("alfa02",))


def test_a_copy_that_people_moved_where_the_site_does_not_allow_it_is_found() -> None:
    """It hangs there: nobody hears of it, but it has its disk open."""
    machines = config().model_dump(mode="json", exclude_defaults=True)["virtual_machines"]
    machines["gridce"]["allowed"] = ["alfa01", "alfa02"]
    world = three()
    world.silent["gridce"] = 100.0
    world.hosts["alfa03"].running.add("gridce")
    ticks(world, config(virtual_machines=machines), 1)
    assert world.hosts["alfa01"].running == {"gridce"}
    assert world.copies("gridce") == world.most == 1


PROCEED = config(split_brain={"policy": "proceed", "after": 600})


def split() -> TinyWorld:
    """alfa01 was cut off for so long that gridce was started elsewhere; now it is back."""
    world = three()
    world.hosts["alfa01"] = TinyHost(ssh=False, running={"gridce"})
    world.loads["alfa02"] = 11.0
    world.silent |= {"gridce": 100.0, "alfa01": 100.0}
    ticks(world, PROCEED, 12)
    assert world.copies("gridce") == 2
    world.silent.clear()
    ticks(world, PROCEED, 2)
    assert world.copies("gridce") == 2  # nobody can ask alfa01 yet
    world.hosts["alfa01"].ssh = True
    world.told.clear()
    return world


def notes(world: TinyWorld) -> list[str]:
    return [event["reason"] for event in world.told if event["kind"] == "note"]


def test_a_copy_that_comes_back_with_its_host_is_ended() -> None:
    world = split()
    ticks(world, PROCEED, 3)
    assert world.hosts["alfa01"].running == set()
    assert world.hosts["alfa03"].running == {"gridce"}
    said = "TWO COPIES of it ran, on alfa03 and on alfa01, which is back"
    assert notes(world) == [f"{said}: that one was ended; look at its disk"]
    found = world.store.get("vm/gridce")
    assert found is not None
    assert "behind" not in found.value


def test_of_two_copies_none_is_ended_where_the_other_is_not_seen() -> None:
    world = split()
    world.hosts["alfa03"].ssh = False
    ticks(world, PROCEED, 1)
    assert world.copies("gridce") == 2
    assert notes(world) == ["it runs on alfa01; alfa03, where it should be, does not answer"]


def test_one_that_was_moved_back_by_hand_is_known_to_be_there() -> None:
    world = split()
    world.hosts["alfa03"].running.clear()
    ticks(world, PROCEED, 1)
    assert world.hosts["alfa01"].running == {"gridce"}
    assert notes(world) == ["it runs on alfa01, no more on alfa03: somebody has moved it"]
    found = world.store.get("vm/gridce")
    assert found is not None
    assert found.value["host"] == "alfa01"


def test_of_two_copies_of_a_paused_vm_none_is_ended_but_it_is_said() -> None:
    world = split()
    operators.pause(world.store, PROCEED, None, "")
    ticks(world, PROCEED, 1)
    assert world.copies("gridce") == 2
    assert notes(world) == ["TWO COPIES of it run, on alfa03 and on alfa01: paused"]


def test_a_fenced_host_that_starts_its_vms_when_it_boots_makes_no_second_copy() -> None:
    world = three()
    world.hosts["alfa01"] = TinyHost(ssh=False, power="ok", running={"gridce"})
    world.silent |= {"gridce": 100.0, "alfa01": 100.0}
    ticks(world, config(), 1)
    assert world.hosts["alfa01"].running == set()
    assert world.copies("gridce") == 1
    world.silent.clear()
    world.hosts["alfa01"] = TinyHost(running={"gridce"})
    ticks(world, config(), 1)
    assert world.hosts["alfa01"].running == set()
    assert world.copies("gridce") == 1
