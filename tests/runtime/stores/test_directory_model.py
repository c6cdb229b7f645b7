"""The state directory compared with a dictionary, whatever is done to both."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from threerc.runtime.errors import Conflict
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.world import Versioned

KEYS = st.sampled_from(["vm/a", "vm/b", "paused/*", "brake"])
NAMES = st.sampled_from(["a", "b"])
VALUES = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3)
WHO = st.integers(0, 1)


class Compared(RuleBasedStateMachine):
    """Two controllers' stores, and what their keys, lines and events should be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="threerc-model-"))
        self.stores = [
            DirectoryStore.create(self.folder / "ha"),
            DirectoryStore(self.folder / "ha"),
        ]
        self.values: dict[str, Versioned] = {}
        self.versions: dict[str, set[int]] = {}
        self.lines: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    def version(self, key: str) -> int:
        return self.values[key].version if key in self.values else 0

    @rule(who=WHO, key=KEYS, value=VALUES)
    def put(self, who: int, key: str, value: dict[str, Any]) -> None:
        version = self.stores[who].put(key, value, self.version(key))
        assert version > max(self.versions.setdefault(key, {0}))
        self.versions[key].add(version)
        self.values[key] = Versioned(version, value)

    @rule(who=WHO, key=KEYS, data=st.data())
    def put_late(self, who: int, key: str, data: st.DataObject) -> None:
        seen = sorted({0, *self.versions.get(key, ())} - {self.version(key)})
        with pytest.raises(Conflict):
            self.stores[who].put(key, {}, data.draw(st.sampled_from([*seen, 10**9])))

    @rule(who=WHO, key=KEYS)
    def delete(self, who: int, key: str) -> None:
        self.stores[who].delete(key, self.version(key))
        self.values.pop(key, None)

    @precondition(lambda self: self.values)
    @rule(who=WHO, key=KEYS)
    def delete_late(self, who: int, key: str) -> None:
        with pytest.raises(Conflict):
            self.stores[who].delete(key, self.version(key) + 1)

    @rule(who=WHO, vm=NAMES, line=st.text(alphabet="ab 0", min_size=1, max_size=9))
    def publish(self, who: int, vm: str, line: str) -> None:
        self.stores[who].publish(vm, line)
        self.lines[vm] = line

    @rule(who=WHO, events=st.lists(st.fixed_dictionaries({"vm": NAMES, "why": st.text()})))
    def log(self, who: int, events: list[dict[str, Any]]) -> None:
        self.stores[who].log([], events)
        self.events += events

    @rule(who=WHO, vm=NAMES, last=st.integers(0, 5))
    def newest(self, who: int, vm: str, last: int) -> None:
        expected = [each for each in self.events if each["vm"] == vm]
        found = self.stores[who].events(vm, last)
        assert list(found) == expected[max(0, len(expected) - last) :]

    @invariant()
    def is_the_same(self) -> None:
        for store in self.stores:
            for key in ("vm/a", "vm/b", "paused/*", "brake"):
                assert store.get(key) == self.values.get(key)
            for prefix in ("vm/", "paused/", "seen/"):
                expected = {k: v for k, v in self.values.items() if k.startswith(prefix)}
                assert store.list(prefix) == expected
            for vm in ("a", "b"):
                assert store.published(vm) == self.lines.get(vm)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


TestCompared = Compared.TestCase
TestCompared.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
