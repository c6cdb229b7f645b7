"""Asking hosts directly, all at the same time, whether they are there.

It needs no root: Debian's `ping` (iputils-ping) has by itself the right that it needs.
"""

from __future__ import annotations

import errno
import math
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Literal

from threerc.runtime.errors import MonitorLost

SSH_PORT: Final = 22
_PING_AGAIN: Final = "0.5"
_PING_CANNOT: Final = 2
# A server may say other things before its version (RFC 4253, 4.2).
_MOST_BANNER: Final = 8192
# How the kernel says that it cannot even ask; that nobody answers is another matter.
_CANNOT: Final = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE}


def answering(
    hosts: Mapping[str, str],
    kind: Literal["none", "ping", "ssh"],
    seconds: float = 3.0,
    *,
    port: int = SSH_PORT,
) -> frozenset[str]:
    """Those of `hosts` (names, and the address of each) that answer within `seconds`.

    `ping`: an echo request, each half a second another; `ssh`: the banner on `port`. Raises
    MonitorLost where not a single one could be asked: silence then means nothing.
    """
    if kind == "none":
        return frozenset()
    found = _ping(hosts, seconds) if kind == "ping" else _ssh(hosts, seconds, port)
    if hosts and None in found.values() and not set(found.values()) & {True, False}:
        raise MonitorLost(f"no host can be asked by {kind} from here")
    return frozenset(name for name, answer in found.items() if answer)


def _ping(hosts: Mapping[str, str], seconds: float) -> dict[str, bool | None]:
    """Whether each answers; None: it cannot be asked."""
    program = shutil.which("ping")
    if program is None:
        raise MonitorLost("ping is missing (Debian: iputils-ping)")
    wait = str(max(math.ceil(seconds), 1))
    command = [program, "-n", "-q", "-c", "1", "-w", wait, "-i", _PING_AGAIN, "--"]
    asked = {
        name: subprocess.Popen(
            [*command, address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, address in hosts.items()
    }
    end = time.monotonic() + seconds
    return {name: _pinged(process, end) for name, process in asked.items()}


def _pinged(process: subprocess.Popen[bytes], end: float) -> bool | None:
    """How one ended; it is killed when the time is over."""
    try:
        status = process.wait(max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return None if status == _PING_CANNOT else status == 0


def _ssh(hosts: Mapping[str, str], seconds: float, port: int) -> dict[str, bool | None]:
    """As `_ping`. A name server that hangs hangs a thread for which nobody waits."""
    end = time.monotonic() + seconds
    results: SimpleQueue[tuple[str, bool | None]] = SimpleQueue()

    def ask(name: str, address: str) -> None:
        results.put((name, _greets(address, port, end)))

    for pair in hosts.items():
        threading.Thread(target=ask, args=pair, daemon=True).start()
    found: dict[str, bool | None] = dict.fromkeys(hosts, False)
    with suppress(Empty):
        for _ in hosts:
            name, answer = results.get(timeout=max(end - time.monotonic(), 0))
            found[name] = answer
    return found


def _greets(address: str, port: int, end: float) -> bool | None:
    """Whether an SSH server speaks there until `end`."""
    said = b"\n"
    try:
        with socket.create_connection((address, port), _left(end)) as connection:
            while b"\nSSH-" not in said and len(said) <= _MOST_BANNER:
                connection.settimeout(_left(end))
                more = connection.recv(_MOST_BANNER)
                if not more:
                    return False
                said += more
    except socket.gaierror:
        return None
    except OSError as error:
        return None if error.errno in _CANNOT else False
    return b"\nSSH-" in said


def _left(end: float) -> float:
    """Seconds until `end`. Raises TimeoutError."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
