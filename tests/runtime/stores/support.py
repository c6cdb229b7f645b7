"""What the tests of all stores share: places that controllers meet at, and processes of theirs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from threerc.runtime.errors import Conflict
from threerc.runtime.world import Store

OPERATIONS = frozenset(
    {"open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
)
"""Audit events of operations that change a file system (`open` may)."""
WON, LOST = 0, 3


@dataclass(frozen=True)
class Place:
    """Shared state: `open` is what a controller does, `lines` reads its log."""

    open: Callable[[], Store]
    lines: Callable[[], list[str]]


def value_of(store: Store, key: str) -> Mapping[str, Any] | None:
    found = store.get(key)
    return found.value if found else None


def version_of(store: Store, key: str) -> int:
    found = store.get(key)
    return found.version if found else 0


def increment(store: Store, key: str) -> None:
    """Count one more, however often somebody else is faster."""
    while not try_increment(store, key):
        pass


def try_increment(store: Store, key: str) -> bool:
    found = store.get(key)
    count, version = (found.value["count"], found.version) if found else (0, 0)
    try:
        store.put(key, {"count": count + 1}, version)
    except Conflict:
        return False
    return True


def forked(work: Callable[[], int | None]) -> int:
    """Start a process that does some work; its id. It ends with what `work` returns."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = work() or 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """Wait for a process; its exit status, or the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def signal_before(count: int, number: signal.Signals) -> None:
    """Have this process get a signal before its file operation of that number from now on."""
    left = count

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in OPERATIONS:
            left -= 1
            if not left:
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)
