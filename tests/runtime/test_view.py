"""What one tick makes of what it sees."""

from __future__ import annotations

from datetime import UTC

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation
from threerc.runtime.records import Step
from threerc.runtime.view import View


def test_a_vm_that_was_moved_off_a_dead_host_is_not_another_hosts_death() -> None:
    """Or the brake would hold up the recovery of the dead host's other VMs."""
    hosts = {"alfa01": TinyHost(), "alfa02": TinyHost(running={"other"}), "alfa03": TinyHost()}
    world = TinyWorld(hosts, silent={"gridce": 100.0, "alfa01": 100.0})
    tick(world, config(), "bibe")
    world.time += 60
    memory = Memory(world.store, UTC, "bussolo", START + 60)
    memory.load()
    view = View(config(), memory, world.observe(), START + 60)
    assert view.owners["gridce"] != "alfa01"
    assert view.silence().owners["gridce"] == "alfa01"


def test_a_vm_that_was_up_once_is_known_to_a_monitor_that_begins_anew() -> None:
    hosts = {"alfa01": TinyHost(), "alfa02": TinyHost(), "alfa03": TinyHost()}
    world = TinyWorld(hosts)
    tick(world, config(), "bibe")
    full = world.observe
    world.observe = lambda: Observation(  # type: ignore[method-assign]
        {name: seen for name, seen in full().hosts.items() if name != "gridce"}, "tiny"
    )
    for seconds, reason in ((60, "for 0 s now"), (120, "for 60 s now"), (180, "down")):
        world.time = START + seconds
        assert reason in tick(world, config(), "bibe").cases[0].reason
    assert hosts["alfa01"].running == {"gridce"}


@pytest.mark.parametrize(("silent", "power"), [(100.0, "none"), (75.0, "none"), (100.0, "ok")])
def test_a_vm_may_be_on_a_host_that_fell_silent_with_it(silent: float, power: str) -> None:
    """Somebody has moved it to alfa02, which is cut off and perhaps not known to be down yet."""
    hosts = {
        "alfa01": TinyHost(),
        "alfa02": TinyHost(ssh=False, power=power, running={"gridce", "other"}),
        "alfa03": TinyHost(),
    }
    world = TinyWorld(hosts, silent={"gridce": 90.0, "other": 90.0, "alfa02": silent})
    (case,) = (each for each in tick(world, config(), "bibe").cases if each.vm == "gridce")
    assert world.copies("gridce") == 1
    assert world.most <= 1
    assert case.step is (Step.RESTART if power == "ok" else None)
    assert power == "ok" or "it may have been moved to alfa02" in case.reason


def test_a_vm_does_not_wait_for_a_host_that_was_lost_long_before_it() -> None:
    hosts = {"alfa01": TinyHost(), "alfa02": TinyHost(ssh=False), "alfa03": TinyHost()}
    world = TinyWorld(hosts, silent={"gridce": 90.0, "other": 600.0, "alfa02": 600.0})
    tick(world, config(), "bibe")
    assert hosts["alfa01"].running == {"gridce"}
