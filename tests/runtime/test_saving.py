"""Many records written at once: side by side, and each of them told by itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from tests.runtime.tiny_world import (
    START,
    TinyHost,
    TinyHypervisor,
    TinyWorld,
    config,
    seen_well,
)
from threerc.runtime.controller import tick
from threerc.runtime.errors import StoreLost, Unreachable
from threerc.runtime.memory import Memory
from threerc.runtime.records import Record
from threerc.runtime.saving import QUICKER, save_all
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.threads import together

VMS = [f"vm{n}" for n in range(8)]
RECORDS = {vm: Record(host="alfa01") for vm in VMS}


class Threaded(TinyWorld):
    """Its jobs run in threads."""

    def together(self, jobs: Any, seconds: float, hosts: Any = None) -> Mapping[str, Any]:
        """Run them."""
        return together(jobs, seconds, hosts)


class Meeting(MemoryStore):
    """No record is written before all have come to be written."""

    def __init__(self) -> None:
        super().__init__()
        self.all = threading.Barrier(len(VMS), timeout=60)

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Wait for the others."""
        if key.startswith("vm/"):
            self.all.wait()
        return super().put(key, value, expect)


class Failing(MemoryStore):
    """Some of its records, or one, cannot be written, in one way or another."""

    def __init__(self, error: Exception | None = None, *keys: str) -> None:
        super().__init__()
        self.error = error
        self.keys = keys or ("vm/vm3",)

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Or it is one of those."""
        if key in self.keys and self.error is not None:
            raise self.error
        return super().put(key, value, expect)


def saved(store: MemoryStore, memory: Memory | None = None) -> dict[str, str]:
    world = Threaded({}, store=store)
    return save_all(world, memory or Memory(store, world.zone, "bibe", START), RECORDS, 90)


def written(store: MemoryStore) -> set[str]:
    return {key.removeprefix("vm/") for key in store.list("vm/")}


def test_none_waits_for_another_to_be_written() -> None:
    store = Meeting()
    assert saved(store) == {}
    assert written(store) == set(VMS)


def test_where_somebody_was_quicker_the_others_are_written() -> None:
    store = Failing()
    memory = Memory(store, None, "bibe", START)
    memory.load()
    store.put("vm/vm3", Record(host="alfa02").dump(), 0)
    assert saved(store, memory) == {"vm3": QUICKER}
    assert written(store) == set(VMS)
    assert memory.held.keys() == set(VMS) - {"vm3"}


def test_where_one_is_lost_the_others_are_written() -> None:
    store = Failing(StoreLost("No space left on device"))
    assert saved(store) == {"vm3": "its record could not be written: No space left on device"}
    assert written(store) == set(VMS) - {"vm3"}


def test_where_all_are_lost_the_state_is() -> None:
    store = Failing(StoreLost("No space left on device"), *(f"vm/{vm}" for vm in VMS))
    with pytest.raises(StoreLost, match="No space left"):
        saved(store)


def test_what_was_written_before_the_disk_was_full_is_done() -> None:
    """Nothing was done, but all of it was counted: for an hour nothing more was."""
    store = Failing(StoreLost("No space left on device"), "vm/gridce")
    for key, found in seen_well("bibe").list("seen/").items():
        store.put(key, found.value, 0)
    world = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}, store=store)
    world.silent |= {"gridce": 500.0, "other": 500.0}
    tick(world, config(), "bibe")
    assert (world.copies("gridce"), world.copies("other")) == (0, 1)


def test_of_what_went_otherwise_wrong_there_is_a_reason() -> None:
    assert saved(Failing(RuntimeError("new"))) == {
        "vm3": "its record could not be written: RuntimeError: new"
    }


def test_no_action_begins_before_all_intents_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    world = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})
    world.silent |= {"gridce": 500.0, "other": 500.0}
    begun: list[list[str]] = []
    start = TinyHypervisor.start

    def looked(hypervisor: TinyHypervisor, vm: str) -> None:
        listed = world.store.list("vm/").items()
        begun.append([key for key, found in listed if "intent" in found.value])
        start(hypervisor, vm)

    monkeypatch.setattr(TinyHypervisor, "start", looked)
    tick(world, config(), "bibe")
    assert begun == [["vm/gridce", "vm/other"]] * 2


def test_where_an_intent_is_not_written_nothing_is_done() -> None:
    class Full(MemoryStore):
        def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
            if key == "vm/gridce":
                raise Unreachable("not done within 60 s")
            return super().put(key, value, expect)

    store = Full()
    for key, found in seen_well("bibe").list("seen/").items():
        store.put(key, found.value, 0)
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    world = TinyWorld(hosts, store=store)
    world.silent |= {"gridce": 500.0, "other": 500.0}
    cases = {case.vm: case for case in tick(world, config(), "bibe").cases}
    assert cases["gridce"].step is None
    assert cases["gridce"].reason == "its record could not be written: not done within 60 s"
    assert (world.copies("gridce"), world.copies("other")) == (0, 1)
