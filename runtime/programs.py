"""Programs that the controller runs: argument lists only, in bounded time, with bounded answers.

None outlives the controller: what still runs when it ends is killed.
"""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from threerc.runtime.errors import Refused, Unreachable

LIMIT: Final = 1 << 20
"""Bytes that a program may write to its output, and to its errors."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program that came to its end said."""

    status: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """Why it failed, in a line for people."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        said = "; ".join(line.strip() for line in lines if line.strip())
        return "".join(c for c in said if c.isprintable())[-400:] or f"exit status {self.status}"


def run(
    command: Sequence[str],
    seconds: float,
    text: str = "",
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program that reads `text`; `environment` is added to ours.

    After `seconds` it is killed with all that it started. Raises Unreachable then, or when it
    cannot be run at all; Refused when it says more than LIMIT.
    """
    deadline = time.monotonic() + seconds
    with _started(command, text, environment) as process:
        try:
            output, errors = _read(process, deadline)
            process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Unreachable(f"no answer from {command[0]} within {seconds:g} s") from None
        return Answer(process.returncode, output, errors)


@contextmanager
def _started(
    command: Sequence[str], text: str, environment: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, in a process group of its own, all of which is dead after the block."""
    # A file instead of a pipe: no program that does not read can make us wait.
    with open(os.memfd_create("stdin"), "w+b") as stdin:  # noqa: PTH123 - it has no path
        stdin.write(text.encode())
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(f"cannot run {command[0]}: {error.strerror}") from None
    with process:
        try:
            _living.add(process)
            yield process
        finally:
            _living.end(process)


class _Living:
    """What runs now. The threads that look after it end with the interpreter, not before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._over = False
        atexit.register(self._end_all)

    def add(self, process: subprocess.Popen[bytes]) -> None:
        """Look after a program. Raises Unreachable where the controller itself ends."""
        with self._lock:
            if self._over:
                raise Unreachable("the controller ends")
            self._processes.add(process)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a program's group, unless the program came to its end by itself."""
        with self._lock:
            self._processes.discard(process)
            _kill(process)

    def _end_all(self) -> None:
        with self._lock:
            self._over = True
            for process in self._processes:
                _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # Not reaped yet: the id, which is the group's too, cannot be another's by now.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


_living: Final = _Living()


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[str, str]:
    """All that it says. Raises TimeoutError, and Refused beyond LIMIT."""
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    said: dict[int, bytearray] = {stream.fileno(): bytearray() for stream in streams}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                _take(selector, key.fd, said[key.fd])
    output, errors = (held.decode("utf-8", "replace") for held in said.values())
    return output, errors


def _take(selector: selectors.BaseSelector, stream: int, held: bytearray) -> None:
    chunk = os.read(stream, 1 << 16)
    if not chunk:
        selector.unregister(stream)
    held += chunk
    if len(held) > LIMIT:
        raise Refused(f"it said more than {LIMIT} bytes")
