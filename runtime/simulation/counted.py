"""The shared state of a simulation: it counts what is written, and can be in a hurry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.world import Versioned

_OWN: Final = ("seen/", "told/")
"""Each controller has one of these for itself; the others need not have seen it."""


class CountedStore(MemoryStore):
    """A store in memory; `writes` are those by which a controller may learn something new.

    If it is `quick` it keeps no logs, and values as they are instead of what JSON makes of them:
    ten thousand crashes say much that nobody reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.quick = False
        self._groups: dict[str, dict[str, Versioned]] = {}

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None."""
        return self._values.get(key) if self.quick else super().get(key)

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys of a group."""
        return dict(self._groups.get(prefix, {})) if self.quick else super().list(prefix)

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key. Raises Conflict."""
        if self.quick:
            self._check(key, expect)
            version = self._versions[key] = self._versions.get(key, 0) + 1
            self._values[key] = Versioned(version, value)
        else:
            version = super().put(key, value, expect)
        self.writes += not key.startswith(_OWN)
        group = key.partition("/")[0] + "/"
        self._groups.setdefault(group, {})[key] = self._values[key]
        return version

    def delete(self, key: str, expect: int) -> None:
        """Remove a key. Raises Conflict."""
        super().delete(key, expect)
        self.writes += 1
        self._groups.get(key.partition("/")[0] + "/", {}).pop(key, None)

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to the logs."""
        if not self.quick:
            super().log(lines, events)
