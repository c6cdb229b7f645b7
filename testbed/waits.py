"""What is waited for, by name, so that whoever waits for all of it can be told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from threerc.testbed.errors import TestbedError

_POLL_SECONDS: Final = 0.2


class Waits:
    """The waits that go on, of several threads. `tell` hears of each that has ended, with its
    seconds; once `ended` is set nothing is waited for any more.
    """

    def __init__(self, tell: Callable[[str], None], ended: threading.Event | None = None) -> None:
        self._tell = tell
        self._since: dict[str, float] = {}
        self._ended = ended or threading.Event()

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
        return [(what, now - start) for what, start in list(self._since.items())]

    def until(self, what: str, look: Callable[[], Any], seconds: float, hint: str) -> Any:
        """Look until there is something; what it is. Raises TestbedError when time is up."""
        deadline = time.monotonic() + seconds
        with self.on(what):
            while not (found := look()):
                if time.monotonic() > deadline:
                    raise TestbedError(f"waited {seconds:.0f} s in vain for {what}; {hint}")
                if self._ended.wait(_POLL_SECONDS):
                    raise TestbedError(f"did not wait any longer for {what}")
        return found

    def end(self) -> None:
        """Wait for nothing any more."""
        self._ended.set()
