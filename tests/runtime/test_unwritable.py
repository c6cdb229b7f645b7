"""A key that cannot be written, though others can: its VM stands still, and all others go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.runtime.tiny_world import TinyHost, TinyWorld, config, seen_well
from threerc.runtime.controller import tick
from threerc.runtime.errors import StoreLost, Unwritable
from threerc.runtime.simulation.store import MemoryStore

WHY = "state/vm/gridce: Permission denied"


class Closed(MemoryStore):
    """A store of which one key cannot be written."""

    def __init__(self, key: str = "") -> None:
        super().__init__()
        self.key = key

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """As ever, but for that one."""
        if key == self.key:
            raise Unwritable(WHY)
        return super().put(key, value, expect)


def world(key: str) -> TinyWorld:
    """Both VMs are down; `key` cannot be written."""
    store = Closed()
    for name, found in seen_well("bibe", "bussolo").list("seen/").items():
        store.put(name, found.value, 0)
    store.key = key
    site = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}, store=store)
    site.silent |= {"gridce": 500.0, "other": 500.0}
    return site


def test_a_record_stops_one_vm() -> None:
    site = world("vm/gridce")
    cases = {case.vm: case for case in tick(site, config(), "bibe").cases}
    assert (site.copies("gridce"), site.copies("other")) == (0, 1)
    assert cases["gridce"].reason == f"its record could not be written: {WHY}"


def test_so_it_does_where_it_is_the_only_one_to_be_written() -> None:
    site = world("vm/gridce")
    del site.silent["other"]
    (case,) = tick(site, config(), "bibe").cases
    assert case.step is None
    assert case.reason == f"its record could not be written: {WHY}"
    assert site.copies("gridce") == 0


@pytest.mark.parametrize("key", ["seen/bibe", "known"])
def test_what_was_done_is_told_though_the_tick_cannot_be_remembered(key: str) -> None:
    site = world(key)
    del site.silent["other"]
    site.hosts["alfa02"].running = {"other"}
    tick(site, config(), "bibe")
    assert site.copies("gridce") == 1
    events = site.store.events()
    assert any(event["kind"] == "action" for event in events)
    assert any("the next tick does not know" in event["reason"] for event in events)


def test_a_brake_that_cannot_be_put_on_stops_everything() -> None:
    """The next tick would find the same hosts silent as before, and go ahead."""
    site = world("brake")
    site.silent |= {"alfa01": 500.0, "alfa02": 500.0}
    for _ in range(3):
        with pytest.raises(StoreLost, match="Permission denied"):
            tick(site, config(brake={"share": 0.3}), "bibe")
        site.time += 60
    assert (site.copies("gridce"), site.copies("other")) == (0, 0)
