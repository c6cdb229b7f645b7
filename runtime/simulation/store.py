"""The controllers' shared state in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threerc.runtime.errors import Conflict
from threerc.runtime.stores.encoding import decoded, encoded
from threerc.runtime.stores.keys import checked_key, checked_prefix, checked_vm
from threerc.runtime.world import Versioned


class MemoryStore:
    """A store that forgets with its process; `lines` is the thesis's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._events: list[Mapping[str, Any]] = []
        self._values: dict[str, Versioned] = {}
        self._versions: dict[str, int] = {}
        self._published: dict[str, str] = {}

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None."""
        return self._values.get(checked_key(key))

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys of a group; `prefix` is its name and a slash, such as `vm/`."""
        checked_prefix(prefix)
        return {key: self._values[key] for key in sorted(self._values) if key.startswith(prefix)}

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key whose version is still `expect`; returns the new one. Raises Conflict."""
        self._check(key, expect)
        version = self._versions[key] = self._versions.get(key, 0) + 1
        # A copy of what JSON makes of it, as in a real store.
        self._values[key] = Versioned(version, decoded(encoded(value), key))
        return version

    def delete(self, key: str, expect: int) -> None:
        """Remove a key whose version is still `expect`. Raises Conflict."""
        self._check(key, expect)
        if self._values.pop(key, None):
            self._versions[key] += 1

    def publish(self, vm: str, line: str) -> None:
        """Keep the thesis's line."""
        self._published[checked_vm(vm)] = line

    def published(self, vm: str) -> str | None:
        """That line, or None."""
        return self._published.get(checked_vm(vm))

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to the log and to the events."""
        self.lines += lines
        self._events += (decoded(encoded(event), "event") for event in events)

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The newest events, oldest first: all, or those that concern one VM."""
        found = [each for each in self._events if vm is None or each.get("vm", vm) == vm]
        return found[max(0, len(found) - last) :]

    def _check(self, key: str, expect: int) -> None:
        found = self._values.get(checked_key(key))
        if (found.version if found else 0) != expect:
            raise Conflict(f"{key} is not at version {expect} any more")
