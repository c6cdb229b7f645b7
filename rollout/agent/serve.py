"""The agent at the far end of a connection: a request is a line of JSON, and so is its answer.

    {"do": "put", "with": {"sha256": "..."}, "bytes": 120}

is followed by that many bytes, and answered by `{"ok": ...}` or `{"error": TEXT}`. When nobody
asks any more, by a connection that ends or by silence, what was not committed is undone: a host
that has lost its network by its new files comes back with the old ones.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from contextlib import suppress
from typing import Any

from threerc.rollout.agent.errors import AgentError
from threerc.rollout.agent.host import Host

STEPS = frozenset(
    (
        *("begin", "look", "stage", "want", "put", "check", "prepare", "switch", "tell", "health"),
        *("commit", "undo", "end"),
    )
)


class _Gone(Exception):
    """Nobody asks any more."""


class _Input:
    """Standard input, as long as somebody is there who writes."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._held = b""

    def line(self) -> bytes:
        while b"\n" not in self._held:
            self._held += self._read()
        line, _, self._held = self._held.partition(b"\n")
        return line

    def content(self, count: int) -> bytes:
        while len(self._held) < count:
            self._held += self._read()
        found, self._held = self._held[:count], self._held[count:]
        return found

    def _read(self) -> bytes:
        if not select.select([0], [], [], self._patience)[0]:
            raise _Gone
        block = os.read(0, 1 << 20)
        if not block:
            raise _Gone
        return block


def answer(host: Host, request: dict[str, Any], content: bytes | None) -> dict[str, Any]:
    """The answer to one request."""
    step = request["do"]
    given = dict(request.get("with", {}))
    if content is not None:
        given["content"] = content
    try:
        if step not in STEPS:
            raise AgentError(f"no such step: {step}")
        return {"ok": getattr(host, step)(**given)}
    except (AgentError, OSError) as error:
        return {"error": str(error)}


def main() -> None:
    """Serve the host that is named, within the patience that is given, until nobody asks."""
    host = Host("/", sys.argv[1])
    given = _Input(float(sys.argv[2]))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    os.umask(0o022)
    try:
        while True:
            request = json.loads(given.line())
            size = request.get("bytes")
            content = given.content(size) if size is not None else None
            _write(json.dumps(answer(host, request, content)).encode() + b"\n")
    except (_Gone, BrokenPipeError):
        pass
    finally:
        with suppress(AgentError, OSError):
            host.end()


def _leave(_signal: int, _frame: object) -> None:
    raise _Gone


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
