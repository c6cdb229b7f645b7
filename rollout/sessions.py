"""The ways to the agent of a host: in this process for a folder, else through a pipe."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final, Protocol

from threerc.rollout import package
from threerc.rollout.agent.host import Host
from threerc.rollout.agent.serve import answer
from threerc.runtime.errors import Refused, Unreachable

Answer = dict[str, Any]
_SAID: Final = 400
"""Characters of what ssh complains of."""


class Session(Protocol):
    """A host that is being changed."""

    name: str

    def ask(self, step: str, seconds: float, content: bytes | None = None, **given: Any) -> Answer:
        """Let the host do a step. Raises Refused where it could not, Unreachable where it is
        not known.
        """

    def close(self) -> None:
        """Leave the host; what was not committed is undone by it."""


class Folder:
    """A host whose file system is a folder of this machine."""

    def __init__(self, name: str, root: str) -> None:
        self.name = name
        self._host = Host(root, name)

    def ask(self, step: str, seconds: float, content: bytes | None = None, **given: Any) -> Answer:
        """As Session says; nothing here takes longer than the disk."""
        del seconds
        said = answer(self._host, {"do": step, "with": given}, content)
        return _told(self.name, said)

    def close(self) -> None:
        """As Session says."""
        answer(self._host, {"do": "end"}, None)


class Pipe:
    """A host whose agent is at the other end of a program: of ssh, or the agent itself."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """Raises Unreachable."""
        self.name = name
        self._errors = open(os.memfd_create("errors"), "w+b")  # noqa: PTH123, SIM115
        self._held = b""
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(f"{name}: cannot run {command[0]}: {error.strerror}") from None
        for stream in (self._input, self._output):
            os.set_blocking(stream.fileno(), False)
        self._first = package.archive()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        return self._process.stdout

    def ask(self, step: str, seconds: float, content: bytes | None = None, **given: Any) -> Answer:
        """As Session says."""
        end = time.monotonic() + seconds
        request: Answer = {"do": step, "with": given}
        if content is not None:
            request["bytes"] = len(content)
        data = self._first + json.dumps(request).encode() + b"\n" + (content or b"")
        self._first = b""
        try:
            self._send(data, end)
            said = json.loads(self._line(end))
        except (OSError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            why = f"no answer within {seconds:g} s" if late else self._complaint()
            raise Unreachable(f"{self.name}: {step}: {why}") from None
        return _told(self.name, said)

    def _send(self, data: bytes, end: float) -> None:
        view = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._input, selectors.EVENT_WRITE)
            while view:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise TimeoutError
                with suppress(BlockingIOError):
                    view = view[os.write(self._input.fileno(), view) :]

    def _line(self, end: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while b"\n" not in self._held:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise TimeoutError
                block = os.read(self._output.fileno(), 1 << 20)
                if not block:
                    raise ConnectionError
                self._held += block
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _complaint(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][-_SAID:] if lines else "the connection was lost"

    def close(self) -> None:
        """As Session says."""
        for stream in (self._input, self._output):
            with suppress(OSError):
                stream.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()  # ssh; the agent sees that nobody asks any more
            self._process.wait()
        self._errors.close()


def _told(host: str, said: Answer) -> Answer:
    if "error" in said:
        raise Refused(f"{host}: {said['error']}")
    found: Answer = said["ok"]
    return found
