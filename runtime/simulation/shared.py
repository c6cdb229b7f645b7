"""The shared state as one controller reaches it: slow, lost, full or fine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threerc.runtime.errors import StoreLost
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.machines import MAIN, Host
from threerc.runtime.simulation.site import Site
from threerc.runtime.world import Versioned


class SharedState:
    """The site's store, over the network; `writes` are those that came from here."""

    def __init__(self, site: Site, caller: Caller, host: Host) -> None:
        self.site = site
        self.caller = caller
        self.host = host
        self.writes = 0

    def _reach(self, name: str, *, writes: bool = False) -> None:
        """Begin a call. Raises StoreLost."""
        self.caller.call(name, self.site.timing.state)
        host = self.host
        cut = (host.cut or host.switches) and host.segment != MAIN
        if cut or self.site.state == "lost":
            raise StoreLost(f"{self.site.config.state_directory}: Stale file handle")
        if writes and self.site.state == "full":
            raise StoreLost(f"{self.site.config.state_directory}: No space left on device")

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None. Raises StoreLost."""
        self._reach("get")
        return self.site.store.get(key)

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys that start with `prefix`. Raises StoreLost."""
        self._reach("list")
        return self.site.store.list(prefix)

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key. Raises Conflict, StoreLost."""
        self._reach("put", writes=True)
        before = self.site.store.writes
        version = self.site.store.put(key, value, expect)
        self.writes += self.site.store.writes - before
        return version

    def delete(self, key: str, expect: int) -> None:
        """Remove a key. Raises Conflict, StoreLost."""
        self._reach("delete", writes=True)
        self.site.store.delete(key, expect)
        self.writes += 1

    def publish(self, vm: str, line: str) -> None:
        """Show a VM's line. Raises StoreLost."""
        self._reach("publish", writes=True)
        self.site.store.publish(vm, line)

    def published(self, vm: str) -> str | None:
        """That line, or None. Raises StoreLost."""
        self._reach("published")
        return self.site.store.published(vm)

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to the logs. Raises StoreLost."""
        self._reach("log", writes=True)
        self.site.store.log(lines, events)

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The newest events. Raises StoreLost."""
        self._reach("events")
        return self.site.store.events(vm, last)
