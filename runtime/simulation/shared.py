"""The shared state as one controller reaches it: slow, lost, full or fine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from threerc.runtime.errors import StoreLost
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.machines import MAIN, Host
from threerc.runtime.simulation.site import Site
from threerc.runtime.world import Versioned

_T = TypeVar("_T")


class SharedState:
    """The site's store, over the network; `writes` are those that came from here."""

    def __init__(self, site: Site, caller: Caller, host: Host) -> None:
        self.site = site
        self.caller = caller
        self.host = host
        self.writes = 0

    def _read(self, name: str, read: Callable[[], _T]) -> _T:
        self.caller.call(name, self.site.timing.state)
        if self.site.state == "lost" or self.host.segment != MAIN:
            raise StoreLost(f"{self.site.config.state_directory}: Stale file handle")
        return read()

    def _write(self, name: str, write: Callable[[], _T]) -> _T:
        def try_to() -> _T:
            if self.site.state == "full":
                raise StoreLost(f"{self.site.config.state_directory}: No space left on device")
            return write()

        return self._read(name, try_to)

    def _counted(self, name: str, write: Callable[[], _T]) -> _T:
        def count() -> _T:
            before = self.site.store.writes
            try:
                return write()
            finally:
                self.writes += self.site.store.writes - before

        return self._write(name, count)

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None. Raises StoreLost."""
        return self._read("get", lambda: self.site.store.get(key))

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys that start with `prefix`. Raises StoreLost."""
        return self._read("list", lambda: self.site.store.list(prefix))

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key. Raises Conflict, StoreLost."""
        return self._counted("put", lambda: self.site.store.put(key, value, expect))

    def delete(self, key: str, expect: int) -> None:
        """Remove a key. Raises Conflict, StoreLost."""
        self._counted("delete", lambda: self.site.store.delete(key, expect))

    def publish(self, vm: str, line: str) -> None:
        """Show a VM's line. Raises StoreLost."""
        self._write("publish", lambda: self.site.store.publish(vm, line))

    def published(self, vm: str) -> str | None:
        """That line, or None. Raises StoreLost."""
        return self._read("published", lambda: self.site.store.published(vm))

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to the logs. Raises StoreLost."""
        self._write("log", lambda: self.site.store.log(lines, events))

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The newest events. Raises StoreLost."""
        return self._read("events", lambda: self.site.store.events(vm, last))
