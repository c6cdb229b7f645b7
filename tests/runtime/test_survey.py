"""A lost host is seen dead by its power, but never over somebody who may be alive (thesis 2.14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.observation import Observation
from threerc.runtime.operators import pause
from threerc.runtime.records import Intent, Record
from threerc.runtime.world import Probed


@dataclass
class Answering(TinyWorld):
    """Some answer when they are asked directly; `unknown` are not heard of by the monitor."""

    alive: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def answers(self, hosts: Iterable[str]) -> Probed:
        """Those that are alive."""
        found = super().answers(hosts)
        return Probed(self.alive & {*hosts}, found.unasked)

    def observe(self) -> Observation:
        """All but the unknown."""
        seen = super().observe().hosts
        return Observation({n: s for n, s in seen.items() if n not in self.unknown}, "tiny")


def lost(**settings: Any) -> Answering:
    """A site in which alfa01 is lost and silent, and gridce with it; other lives on it, too."""
    hosts = {name: TinyHost(power="ok") for name in ("alfa01", "alfa02", "alfa03")}
    hosts["alfa01"].running = {"gridce", "other"}
    hosts["alfa01"].ssh = False
    world = Answering(hosts, silent={"gridce": 100.0, "alfa01": 100.0}, **settings)
    world.store.put("vm/other", Record(host="alfa01", up=0.0).dump(), 0)
    return world


def reason(world: TinyWorld, **settings: object) -> str:
    """Why gridce is left alone in one tick."""
    report = tick(world, config(**settings), "bibe")
    return next(case.reason for case in report.cases if case.vm == "gridce")


PROBE = {"cluster": "tiny", "poll_interval": 15, "probe": "ping"}


def test_a_vm_that_somebody_may_have_started_there_is_not_switched_off() -> None:
    world = lost()
    intent = Intent(step="RESTART", to="alfa01", by="bussolo", since=START - 4000)
    world.store.put("vm/other", Record(host="alfa02", up=0.0, intent=intent).dump(), 1)
    assert "other which may be on it, is alive: its power is not cut" in reason(world)
    assert world.hosts["alfa01"].running == {"gridce", "other"}


def test_a_vm_that_is_being_started_there_is_not_switched_off() -> None:
    world = lost()
    world.silent["other"] = 100.0
    intent = Intent(step="RESTART", to="alfa01", by="bussolo", since=START - 10)
    record = Record(host="alfa02", done=1, last=START - 10, intent=intent)
    world.store.put("vm/other", record.dump(), 1)
    assert "bussolo is at it: RESTART of other there: its power is not cut" in reason(world)


def test_a_vm_that_only_the_monitor_has_lost_is_not_switched_off() -> None:
    world = lost(alive=frozenset({"other"}))
    world.silent["other"] = 100.0
    assert "other on it answers when asked directly" in reason(world, monitors=PROBE)
    assert world.hosts["alfa01"].running == {"gridce", "other"}


def test_a_host_that_answers_is_not_switched_off_nor_given_up() -> None:
    for power, split in (("ok", "wait"), ("none", "proceed")):
        world = lost(alive=frozenset({"alfa01"}))
        world.silent["other"] = 100.0
        world.hosts["alfa01"].power = power
        why = reason(world, monitors=PROBE, split_brain={"policy": split, "after": 0})
        assert "but it answers when asked directly" in why
        assert world.most == 0
        assert world.hosts["alfa01"].running == {"gridce", "other"}


def test_a_host_that_cannot_be_asked_is_not_switched_off() -> None:
    world = lost()
    world.silent["other"] = 100.0
    world.unasked = frozenset({"alfa01"})
    assert "it cannot be asked whether it is dead: no such name" in reason(world, monitors=PROBE)


def test_a_site_does_not_go_on_over_a_host_on_which_somebody_lives() -> None:
    world = lost()
    world.hosts["alfa01"].power = "none"
    why = reason(world, split_brain={"policy": "proceed", "after": 0})
    assert "nothing can cut its power, but other on it is alive" in why
    assert world.most == 0


@pytest.mark.parametrize("name", ["other", "alfa01"])
def test_of_whom_the_monitor_has_just_forgotten_it_is_not_known_that_he_is_dead(name: str) -> None:
    world = lost(unknown=frozenset({name}))
    world.silent["other"] = 100.0
    for _ in range(2):
        assert f"the monitor does not know {name}" in reason(world)
        assert world.most == 0
        world.time += 60
    tick(world, config(), "bibe")
    assert world.copies("gridce") == 1
    assert world.hosts["alfa01"].running == set()


@pytest.mark.parametrize("what", ["paused", "never seen"])
def test_an_ordinary_dead_host_is_fenced_whoever_else_was_at_home_there(what: str) -> None:
    world = lost()
    if what == "paused":
        pause(world.store, config(), "other", "")
        world.silent["other"] = 100.0
    else:
        world.store.delete("vm/other", 1)
        world.store.publish("other", "alfa01 2001-01-01/00:00:00 0")
        world.unknown = frozenset({"other"})
    tick(world, config(), "bibe")
    assert world.hosts["alfa01"].running == set()
    assert world.copies("gridce") == 1


def test_nobody_waits_for_a_vm_that_only_the_monitor_has_lost() -> None:
    machines = {
        "gridce": {"home": "alfa01", "memory": 1, "start_after": ["other"]},
        "other": {"home": "alfa02", "memory": 1},
    }
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    world = Answering(hosts, silent={"gridce": 100.0, "other": 100.0}, alive=frozenset({"other"}))
    tick(world, config(monitors=PROBE, virtual_machines=machines), "bibe")
    assert world.copies("gridce") == 1
    assert world.copies("other") == 0
