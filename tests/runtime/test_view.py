"""What one tick makes of what it sees."""

from __future__ import annotations

from datetime import UTC

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.memory import Memory
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
