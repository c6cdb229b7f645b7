"""Where the shared state is lost nothing more is done, and people hear of what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyHypervisor, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.errors import StoreLost
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.world import Versioned


class Losing(MemoryStore):
    """It is full after `puts` more writes, and is lost at once where `gone`."""

    def __init__(self, puts: int = 100, *, gone: bool = False, full_log: bool = False) -> None:
        super().__init__()
        self.puts = puts
        self.gone = gone
        self.full_log = full_log

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """As ever, where it is not gone."""
        if self.gone:
            raise StoreLost("Stale file handle")
        return super().list(prefix)

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """As ever, as long as there is room."""
        self.puts -= 1
        if self.puts < 0:
            raise StoreLost("No space left on device")
        return super().put(key, value, expect)

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """As ever, where there is room."""
        if self.full_log:
            raise StoreLost("No space left on device")
        super().log(lines, events)


def world(store: Losing) -> TinyWorld:
    site = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}, store=store)
    site.time -= 60
    tick(site, config(), "bibe")  # the first one only looks
    site.time += 60
    site.silent["gridce"] = 100.0
    site.told.clear()
    return site


@pytest.mark.parametrize("full_log", [True, False])
def test_what_was_done_is_told_although_it_cannot_be_written_down(full_log: bool) -> None:
    store = Losing()
    site = world(store)
    store.puts, store.full_log = (100, True) if full_log else (1, False)
    with pytest.raises(StoreLost):
        tick(site, config(), "bibe")
    assert site.copies("gridce") == 1
    action, standstill = site.told
    assert (action["kind"], action["step"], action["vm"]) == ("action", "RESTART", "gridce")
    assert "the shared state is lost: No space left on device" in action["reason"]
    assert standstill["kind"] == "standstill"


def test_that_nothing_is_done_is_told_once_in_ten_minutes() -> None:
    store = Losing()
    site = world(store)
    store.gone = True
    for minute in range(60):
        site.time = START + 60 * minute + 1
        with pytest.raises(StoreLost):
            tick(site, config(), ("bibe", "bussolo")[minute % 2])
    assert len(site.told) == 12
    by = {event["controller"] for event in site.told}
    assert by == {"bibe", "bussolo"}
    assert site.told[0]["reason"] == "the shared state is lost: Stale file handle"


def test_what_is_only_said_tells_nobody() -> None:
    store = Losing()
    site = world(store)
    store.gone = True
    site.time = 1_200_000.0
    with pytest.raises(StoreLost):
        tick(site, config(), "bibe", act=False)
    assert site.told == []


def test_what_was_done_is_told_also_where_another_tick_of_the_same_controller_was_quicker() -> None:
    """Where a lock keeps nobody out: `--as` elsewhere with etcd, a server without locks."""
    world = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})
    world.silent["gridce"] = 100.0
    start = TinyHypervisor.start

    def meanwhile(hypervisor: TinyHypervisor, vm: str) -> None:
        start(hypervisor, vm)
        tick(world, config(), "bibe")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TinyHypervisor, "start", meanwhile)
        tick(world, config(), "bibe")
    assert world.copies("gridce") == 1
    assert [event["kind"] for event in world.told] == ["action"]
