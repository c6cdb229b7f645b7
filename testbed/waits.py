"""What the lab waits for, by name, so that whoever waits for the lab can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Waits:
    """The waits that go on. `tell` hears of each that has ended, with its seconds."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._since: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Wait for something within the block."""
        start = self._since[what] = time.monotonic()
        try:
            yield
        finally:
            del self._since[what]
        self._tell(f"{what}: {time.monotonic() - start:.1f} s")

    def now(self) -> list[tuple[str, float]]:
        """What is waited for, and for how many seconds so far."""
        now = time.monotonic()
        return [(what, now - start) for what, start in self._since.items()]
