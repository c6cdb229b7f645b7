"""Draining a host: who leaves it, where to, and who stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyHypervisor, TinyWorld, config
from threerc.runtime import operators
from threerc.runtime.config import ControllerConfig
from threerc.runtime.controller import tick
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation, Seen
from threerc.runtime.records import MIGRATE, Intent, Record
from threerc.runtime.status import status
from threerc.runtime.view import View


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

    def drain_on(self) -> list[dict[str, Any]]:
        """The next tick; what was said in it."""
        self.time += 60
        report = tick(self, self.config, "bibe")
        return [event for event in report.events if event["kind"] == "note"]

    def shown(self) -> object:
        """What `3rc status` has of alfa01's maintenance."""
        memory = Memory(self.store, self.zone, "bibe", self.time)
        memory.load()
        view = View(self.config, memory, self.observe(), self.time)
        return status(view)["physical_hosts"]["alfa01"]["maintenance"]

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


class Slow(TinyHypervisor):
    """A move of it takes longer than anybody waits."""

    def migrate(self, vm: str, to: str) -> None:
        """Move, some time."""
        self.world.hang(300)
        super().migrate(vm, to)


def reasons(events: list[dict[str, Any]], vm: str = "alfa01") -> list[str]:
    return [event["reason"] for event in events if event["vm"] == vm]


def test_the_end_is_told_once_by_the_host_s_own_word() -> None:
    world = Site({}, vm1=1)
    assert reasons(world.drain()) == []  # it has only just been told to leave
    world.hosts["alfa01"].running.add("somebody_s")
    (said,) = reasons(world.drain_on())
    assert said == (
        "it is drained: no virtual machine of the site runs on it any more; somebody_s still do, "
        "which 3RC does not know"
    )
    assert {"vm": "alfa01", "kind": "note"}.items() <= world.told[-1].items()
    assert world.shown() == "drained"
    told = len(world.told)
    for _ in range(70):
        assert reasons(world.drain_on()) == []
    assert len(world.told) == told


def test_one_that_comes_back_to_a_drained_host_is_told() -> None:
    world = Site({}, vm1=1)
    world.drain(2)
    assert world.shown() == "drained"
    world.on("alfa01").add("vm1")  # beside the one that has left
    assert reasons(world.drain_on()) == ["it was drained, but is so no more: vm1"]
    assert world.shown() == "drain"


def test_a_host_that_does_not_answer_or_may_get_one_is_not_called_drained() -> None:
    world = Site({}, vm1=1)
    world.hosts["alfa01"].running.clear()
    world.hosts["alfa03"].running.add("vm1")
    intent = Intent(step=MIGRATE, to="alfa01", by="bussolo", since=START)
    world.store.put("vm/vm1", Record(host="alfa03", up=0.0, intent=intent).dump(), 0)
    world.hosts["alfa03"].ssh = False
    assert reasons(world.drain()) == []
    world.hosts["alfa01"].ssh = False
    world.hosts["alfa03"].ssh = True
    assert reasons(world.drain_on()) == []
    assert world.shown() == "drain"


def test_a_move_that_is_not_over_in_time_is_not_called_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Site({}, vm1=1)
    monkeypatch.setattr(world, "hypervisor", lambda host, _=None: Slow(world, world.hosts[host]))
    (said,) = reasons(world.drain(), "vm1")
    assert said.startswith("it is not known yet whether it was moved to alfa02: not done within")


def test_one_that_falls_while_it_is_moved_is_dead_on_both_hosts_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First where it comes from, or the move might still end after the other was looked at."""
    world = Site({}, vm1=1)
    intent = Intent(step=MIGRATE, to="alfa02", by="bussolo", since=START - 5)
    world.store.put("vm/vm1", Record(host="alfa01", up=0.0, intent=intent).dump(), 0)
    world.hosts["alfa02"].running.add("vm1")  # its memory is on the way
    world.silent["vm1"] = 100.0
    killed: list[str] = []
    kill = TinyHypervisor.kill

    def noted(self: TinyHypervisor, vm: str) -> None:
        killed.extend(name for name, host in world.hosts.items() if host is self.host)
        kill(self, vm)

    monkeypatch.setattr(TinyHypervisor, "kill", noted)
    tick(world, world.config, "bibe")
    assert killed[:2] == ["alfa01", "alfa02"]
    assert (world.copies("vm1"), world.most) == (1, 1)
