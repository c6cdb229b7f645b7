"""How a long command tells what it does: what is done, and what is waited for, with seconds.

On a terminal the last line says what goes on; elsewhere a line says so now and then.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

_TICK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 10.0
"""Between two lines about the same wait, where nothing can be written over."""
_SHOWN: Final = 3


class Reporter:
    """Tells on a stream. `step` is for what one does oneself, `done` and `waiting` for a lab."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._step: tuple[str, float] | None = None
        self._waits: list[tuple[str, float]] = []
        self._heard = self._start
        self._said = self._start
        self._end = threading.Event()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell what goes on within the block."""
        ticker = threading.Thread(target=self._tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            self._end.set()
            ticker.join()
            if self._stream.isatty():
                self._write("\r\033[K")

    def step(self, what: str) -> None:
        """Something begins, and with it what was before has ended."""
        self.end_step()
        with self._lock:
            self._step = (what, time.monotonic())

    def end_step(self) -> None:
        """What was begun has ended."""
        with self._lock:
            step, self._step = self._step, None
        if step is not None:
            self.done(f"{step[0]}: {time.monotonic() - step[1]:.1f} s")

    def done(self, what: str) -> None:
        """Something is done."""
        with self._lock:
            self._said = time.monotonic()
        clear = "\r\033[K" if self._stream.isatty() else ""
        self._write(f"{clear}[{time.monotonic() - self._start:6.1f} s] {what}\n")

    def waiting(self, waits: Sequence[tuple[str, float]]) -> None:
        """What a lab waits for now, each with its seconds so far."""
        with self._lock:
            self._waits = list(waits)
            self._heard = time.monotonic()

    def _tick(self) -> None:
        while not self._end.wait(_TICK_SECONDS):
            text = self._now()
            if self._stream.isatty():
                self._write(f"\r\033[K{text[:120]}")
            elif text and time.monotonic() - self._said > _QUIET_SECONDS:
                self.done(text)

    def _now(self) -> str:
        now = time.monotonic()
        with self._lock:
            waits = [(what, seconds + now - self._heard) for what, seconds in self._waits]
            if self._step is not None:
                waits.insert(0, (self._step[0], now - self._step[1]))
        if not waits:
            return ""
        shown = ", ".join(f"{what} ({seconds:.0f} s)" for what, seconds in waits[:_SHOWN])
        more = f" and {len(waits) - _SHOWN} more" if len(waits) > _SHOWN else ""
        return f"waiting for {shown}{more}"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
