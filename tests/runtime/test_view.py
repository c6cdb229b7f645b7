"""What one tick makes of what it sees."""

from __future__ import annotations

from datetime import UTC

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation
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
