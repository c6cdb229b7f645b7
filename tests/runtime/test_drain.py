"""Draining a host: who leaves it, where to, and who stays."""

from __future__ import annotations

from typing import Any

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config
from threerc.runtime import operators
from threerc.runtime.config import ControllerConfig
from threerc.runtime.controller import tick
from threerc.runtime.observation import Observation, Seen
from threerc.runtime.records import MIGRATE, Intent, Record


class Site(TinyWorld):
    """A site whose VMs all have their home on alfa01; a host carries what is said of it."""

    def __init__(self, memory: dict[str, int], **vms: int) -> None:
        hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
        super().__init__(hosts)
        hosts["alfa01"].running = set(vms)
        self.vms = vms
        self.config: ControllerConfig = config(
            physical_hosts={
                name: {"maxl": 10, "hypervisor": "libvirt", "memory": memory.get(name, 1000)}
                for name in hosts
            },
            virtual_machines={vm: {"home": "alfa01", "memory": size} for vm, size in vms.items()},
        )

    def observe(self) -> Observation:
        """All VMs are fine but those in `silent`."""
        names = (*self.hosts, *self.vms)
        seen = {n: Seen(self.loads.get(n, 0.1), self.silent.get(n, 10.0)) for n in names}
        return Observation(seen, "tiny")

    def drain(self, minutes: int = 1) -> list[dict[str, Any]]:
        """Drain alfa01; what was said of it in the last tick."""
        operators.maintain(self.store, self.config, "alfa01", drain=True)
        for minute in range(minutes):
            self.time = START + 60 * minute
            report = tick(self, self.config, "bibe")
        return [event for event in report.events if event["kind"] == "note"]

    def on(self, host: str) -> set[str]:
        """What runs on a host."""
        return self.hosts[host].running


def test_four_leave_in_a_tick() -> None:
    world = Site({}, vm1=1, vm2=1, vm3=1, vm4=1, vm5=1, vm6=1)
    world.drain()
    assert world.on("alfa01") == {"vm5", "vm6"}
    assert len(world.on("alfa02")) == len(world.on("alfa03")) == 2
    world.drain(2)
    assert len(world.on("alfa02")) == len(world.on("alfa03")) == 3


def test_those_that_find_no_room_keep_nobody_back() -> None:
    world = Site({"alfa02": 10, "alfa03": 10}, a=90, b=90, c=90, d=90, small=1)
    said = world.drain()
    assert world.on("alfa01") == {"a", "b", "c", "d"}
    assert {event["vm"] for event in said if "cannot leave" in event["reason"]} == set("abcd")


def test_what_the_tick_itself_has_started_takes_room() -> None:
    world = Site({"alfa02": 10, "alfa03": 10}, fallen=10, moving=10)
    world.loads["alfa03"] = 5.0
    world.silent["fallen"] = 100.0
    world.on("alfa01").remove("fallen")
    world.drain()
    assert (world.on("alfa02"), world.on("alfa03")) == ({"fallen"}, {"moving"})


def test_a_paused_vm_stays() -> None:
    world = Site({}, vm1=1, vm2=1)
    operators.pause(world.store, world.config, "vm1", "")
    said = world.drain()
    assert world.on("alfa01") == {"vm1"}
    assert said[0]["reason"] == "it stays on its host: paused by an operator"
    operators.pause(world.store, world.config, None, "")
    world.drain()
    assert world.on("alfa01") == {"vm1"}


def test_one_that_was_moved_there_by_hand_leaves_too() -> None:
    """Or the operator pulls the plug of a host that seems to be empty."""
    world = Site({}, vm1=1)
    world.store.put("vm/vm1", Record(host="alfa02", up=0.0).dump(), 0)
    notes = world.drain()
    assert [note["reason"] for note in notes] == [
        "it runs on alfa01, not on alfa02: somebody has moved it",
        "moved from alfa01 to alfa02, running",
    ]
    assert world.on("alfa02") == {"vm1"}


def test_one_that_seems_to_run_on_two_hosts_is_told() -> None:
    world = Site({}, vm1=1)
    world.hosts["alfa02"].running.add("vm1")
    world.store.put("vm/vm1", Record(host="alfa02", up=0.0).dump(), 0)
    (note,) = world.drain()
    assert note["reason"] == "it runs on alfa01, which is drained; so it may on alfa02"
    assert world.on("alfa01") == {"vm1"}


def test_one_that_was_moved_away_by_hand_is_found_where_it_is() -> None:
    """Its record said for ever that a move was under way."""
    world = Site({}, vm1=1)
    world.hosts["alfa01"].running.clear()
    world.hosts["alfa03"].running.add("vm1")
    intent = Intent(step=MIGRATE, to="alfa02", by="bibe", since=0.0)
    world.store.put("vm/vm1", Record(host="alfa01", up=0.0, intent=intent).dump(), 0)
    tick(world, world.config, "bibe")
    found = world.store.get("vm/vm1")
    assert found is not None
    assert found.value == {"host": "alfa03", "up": 0.0}
