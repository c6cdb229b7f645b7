"""Two controllers, of which one cannot read some of what the other writes: random schedules."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from threerc.runtime.simulation.schedules import schedule
from threerc.runtime.simulation.search import violation
from threerc.runtime.simulation.shared import SharedState
from threerc.runtime.world import Versioned

SEED = 31337
SCHEDULES = 12


@pytest.mark.parametrize("how", ["torn", "newer"])
def test_nobody_is_started_twice_or_left_down(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end the one that can read it brings it back; the other one is in nobody's way."""
    read, listed = SharedState.get, SharedState.list
    seen: Counter[str] = Counter()

    def damaged(state: SharedState, key: str, found: Versioned) -> Versioned:
        first = min(state.site.config.controllers)
        lot = zlib.crc32(f"{key} {found.version}".encode()) % 10
        if not key.startswith("vm/") or state.host.name != first or lot > 2:
            return found
        seen[key] += 1
        if how == "torn":
            return replace(found, value={"text": "{"}, damage="it is no JSON object")
        return replace(found, value={**found.value, "moods": []})

    def get(state: SharedState, key: str) -> Versioned | None:
        found = read(state, key)
        return found and damaged(state, key, found)

    def list_all(state: SharedState, prefix: str) -> Mapping[str, Versioned]:
        return {key: damaged(state, key, it) for key, it in listed(state, prefix).items()}

    monkeypatch.setattr(SharedState, "get", get)
    monkeypatch.setattr(SharedState, "list", list_all)
    assert [violation(schedule(SEED + n)) for n in range(SCHEDULES)] == [None] * SCHEDULES
    assert sum(seen.values()) > 50, "nothing was damaged"
