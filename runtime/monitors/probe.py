"""Asking hosts directly whether they are there, all within one time, however many they are.

`ping` is one process of fping for all, which needs no root: Debian's has by itself the right that
it needs. Whom it could not ask it names on its standard error. Source: fping(8) 5.1.
"""

from __future__ import annotations

import errno
import itertools
import math
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Literal

from threerc.runtime.errors import ControllerError, MonitorLost
from threerc.runtime.programs import run
from threerc.runtime.world import Probed

SSH_PORT: Final = 22
AT_ONCE: Final = 500
"""Hosts that are asked by ssh at the same time: each is a thread and an open file, of which a
process has 1024."""
_SHORTEST: Final = 0.5
"""Seconds that a host has to answer at least; and between two echo requests to it."""
_MORE: Final = 1.0
"""Seconds to wait longer for those who hang in a name server."""
_ALIVE: Final = " is alive"
# fping's exit status when it did not even begin.
_WRONG: Final = (3, 4)
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
) -> Probed:
    """Those of `hosts` (names, and the address of each) that answer within `seconds`.

    `ping`: an echo request, each half a second another; `ssh`: the banner on `port`. Who cannot be
    asked is told apart: silence then means nothing. Raises MonitorLost where there is no fping.
    """
    if kind == "none" or not hosts:
        return Probed(frozenset())
    return _ping(hosts, seconds) if kind == "ping" else _ssh(hosts, seconds, port)


def _ping(hosts: Mapping[str, str], seconds: float) -> Probed:
    program = shutil.which("fping")
    if program is None:
        raise MonitorLost("fping is missing (Debian: fping)")
    # All get their first request in less than half a second: then come the second ones.
    apart = min(10.0, _SHORTEST * 800 / len(hosts))
    again = max(int(seconds / _SHORTEST) - 2, 0)
    timing = ("-i", f"{apart:.3f}", "-t", f"{_SHORTEST * 1000:.0f}", "-B", "1", "-r", str(again))
    addresses = "".join(f"{address}\n" for address in hosts.values())
    try:
        answer = run([program, *timing], seconds + _MORE, addresses)
    except ControllerError as error:
        raise MonitorLost(str(error)) from None
    if answer.status in _WRONG:
        raise MonitorLost(f"fping: {answer.reason}")
    said = answer.output.splitlines()
    alive = {line.removesuffix(_ALIVE) for line in said if line.endswith(_ALIVE)}
    failed = dict(line.split(": ", 1) for line in answer.errors.splitlines() if ": " in line)
    silent = {name: address for name, address in hosts.items() if address not in alive}
    unasked = {name: failed[each] for name, each in silent.items() if each in failed}
    return Probed(frozenset(hosts.keys() - silent.keys()), unasked)


def _ssh(hosts: Mapping[str, str], seconds: float, port: int) -> Probed:
    """So many at a time, each in its share of the time."""
    share = max(seconds / math.ceil(len(hosts) / AT_ONCE), _SHORTEST)
    end = time.monotonic() + seconds
    found: dict[str, str] = dict.fromkeys(hosts, "there was no time for it")
    names = iter(hosts)
    while time.monotonic() < end and (some := list(itertools.islice(names, AT_ONCE))):
        found |= _greeted({name: hosts[name] for name in some}, share, port)
    answer = frozenset(name for name, why_not in found.items() if why_not == _GREETS)
    unasked = {name: why for name, why in found.items() if why not in {_GREETS, _SILENT}}
    return Probed(answer, unasked)


_GREETS: Final = "it greets"
_SILENT: Final = "it is silent"


def _greeted(hosts: Mapping[str, str], seconds: float, port: int) -> dict[str, str]:
    """What came of each. Nobody waits for a thread that a name server lets hang."""
    end = time.monotonic() + seconds
    results: SimpleQueue[tuple[str, str]] = SimpleQueue()
    found = dict.fromkeys(hosts, "its name is still looked for")

    def ask(name: str, address: str) -> None:
        results.put((name, _greets(address, port, end)))

    for name, address in hosts.items():
        try:
            threading.Thread(target=ask, args=(name, address), daemon=True).start()
        except RuntimeError as error:  # the machine has no thread left for us
            results.put((name, str(error)))
    with suppress(Empty):
        for _ in hosts:
            name, answer = results.get(timeout=max(end + _MORE - time.monotonic(), 0))
            found[name] = answer
    return found


def _greets(address: str, port: int, end: float) -> str:
    """Whether an SSH server speaks there until `end`, or why it cannot be asked."""
    said = b"\n"
    try:
        with socket.create_connection((address, port), _left(end)) as connection:
            while b"\nSSH-" not in said and len(said) <= _MOST_BANNER:
                connection.settimeout(_left(end))
                more = connection.recv(_MOST_BANNER)
                if not more:
                    return _SILENT
                said += more
    except socket.gaierror as error:
        return str(error.strerror)
    except OSError as error:
        return str(error.strerror) if error.errno in _CANNOT else _SILENT
    return _GREETS if b"\nSSH-" in said else _SILENT


def _left(end: float) -> float:
    """Seconds until `end`. Raises TimeoutError."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
