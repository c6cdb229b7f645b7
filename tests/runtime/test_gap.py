"""After a time in which nobody looked a tick only looks, and the next one counts that time."""

from __future__ import annotations

from typing import Any

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.observation import Observation, Seen
from threerc.runtime.simulation.store import MemoryStore

SITE = ("alfa01", "alfa02", "alfa03", "gridce", "other")


def site(**settings: Any) -> TinyWorld:
    hosts = {name: TinyHost(power="ok") for name in SITE[:3]}
    hosts["alfa01"].running = {"gridce"}
    hosts["alfa02"].running = {"other"}
    return TinyWorld(hosts, **settings)


def cut_off(world: TinyWorld, seconds: float) -> None:
    """The network is lost between the monitor and all but alfa03, and ssh with it."""
    world.silent = dict.fromkeys(set(SITE) - {"alfa03"}, seconds)
    for name in ("alfa01", "alfa02"):
        world.hosts[name].ssh = False


def running(world: TinyWorld) -> list[set[str]]:
    return [host.running for host in world.hosts.values()]


def reasons(world: TinyWorld, me: str, **settings: Any) -> str:
    return tick(world, config(**settings), me).standstill


def test_a_mass_failure_in_a_gap_cuts_nobodys_power() -> None:
    for gap in (60, 300, 3600):
        world = site()
        world.time += gap
        cut_off(world, gap - 5.0)
        found = [reasons(world, "bibe", brake={})]
        world.time += 60
        cut_off(world, gap + 55.0)
        found.append(reasons(world, "bussolo", brake={}))
        assert "hosts went silent within" in found[-1]
        assert ("this tick only looks" in found[0]) == (gap == 3600)
        assert running(world) == [{"gridce"}, {"other"}, set()]


def test_a_monitor_that_calls_them_long_dead_after_a_gap_is_not_believed() -> None:
    world = site()
    world.time += 3600
    cut_off(world, 86_400.0)
    for me in ("bibe", "bussolo", "bibe"):
        tick(world, config(brake={}), me)
        world.time += 60
    assert running(world) == [{"gridce"}, {"other"}, set()]


def test_after_a_gap_the_second_tick_acts() -> None:
    world = site(silent={"gridce": 100.0})
    world.hosts["alfa01"].running = set()
    world.time += 3600
    assert "for 3660 s: this tick only looks" in reasons(world, "bibe")
    assert world.told[-1]["kind"] == "standstill"
    assert world.copies("gridce") == 0
    world.time += 60
    assert not reasons(world, "bussolo")
    assert world.copies("gridce") == 1


def test_the_first_tick_of_all_only_looks_and_the_second_counts_all_that_are_silent() -> None:
    world = site(store=MemoryStore())
    cut_off(world, 86_400.0)
    assert "no controller has seen the site before" in reasons(world, "bibe", brake={})
    world.time += 60
    assert reasons(world, "bussolo", brake={}).startswith("4 of 5 hosts are silent: nothing is")


def test_a_controller_that_was_off_alone_acts_in_its_first_tick() -> None:
    world = site(silent={"gridce": 100.0})
    for _ in range(30):
        world.time += 120
        tick(world, config(), "bibe")
        if world.copies("gridce"):
            world.silent = {}
    world.silent = {"other": 100.0}
    world.time += 60
    assert not reasons(world, "bussolo")
    assert world.copies("other") == 1


def test_a_daemon_that_ticks_seldom_is_not_always_in_a_gap() -> None:
    world = site(silent={"gridce": 100.0})
    world.hosts["alfa01"].running = set()
    world.time += 1740
    assert not tick(world, config(), "bibe", every=1800).standstill
    assert world.copies("gridce") == 1


def test_what_is_only_said_is_said_of_the_tick_after_the_gap() -> None:
    world = site(silent={"gridce": 100.0}, store=MemoryStore())
    report = tick(world, config(), "bibe", act=False)
    assert not report.standstill
    assert str(report.cases[0].step) == "RESTART"


def test_a_monitor_that_knows_nobody_is_a_standstill() -> None:
    world = site()
    world.observe = lambda: Observation({}, "tiny")  # type: ignore[method-assign]
    for me in ("bibe", "bussolo", "bibe"):
        assert reasons(world, me, brake={}) == "tiny knows none of the site's hosts"
        world.time += 60
    assert running(world) == [{"gridce"}, {"other"}, set()]


def test_a_host_that_a_first_tick_does_not_find_was_not_silent_since_1970() -> None:
    """The site goes on without having seen a copy dead, but only after half an hour."""
    proceed = config(split_brain={"policy": "proceed", "after": 1800})
    world = site(store=MemoryStore())
    for host in world.hosts.values():
        host.power = "none"
    seen = {name: Seen(0.1, 5.0) for name in ("alfa02", "alfa03", "other")}
    tick(world, proceed, "bibe")
    world.hosts["alfa01"].ssh = False
    world.observe = lambda: Observation(seen, "tiny")  # type: ignore[method-assign]
    while world.time < START + 1800:
        world.time += 60
        tick(world, proceed, "bussolo")
        assert world.most == 0
    for _ in range(3):
        world.time += 60
        tick(world, proceed, "bussolo")
    assert world.most == 2  # what the policy gives up: here gridce was alive
