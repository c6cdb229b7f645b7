"""A monitor that lies: what stands before a gmetad or a collector's gmond, inside its capsule.

    python -m threerc.testbed.lying PORT begin MODE [HOST ...]
    python -m threerc.testbed.lying PORT end

Whoever connects to PORT reaches the liar, which asks the true one: the kernel redirects all but the
liar itself. The modes are the simulator's. Where a host is silent it says so since it began to lie,
and for as long before that the host is down to everybody.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from threerc.testbed.process import program

_SILENT_SECONDS: Final = 100
_OFFSET: Final = 10_000
_MARK: Final = 3
_SECONDS: Final = 10.0
_CHUNK: Final = 1 << 16
_RULES: Final = """\
table inet {table} {{
    chain others {{
        type nat hook prerouting priority -100
        tcp dport {port} redirect to :{liar}
    }}
    chain own {{
        type nat hook output priority -100
        meta mark != {mark} tcp dport {port} redirect to :{liar}
    }}
}}
"""
_HOST: Final = re.compile(rb"<HOST\b.*?</HOST>\s*|<HOST\b[^>]*/>\s*", re.DOTALL)
_NAME: Final = re.compile(rb'<HOST\b[^>]*?\bNAME="([^".]*)')
_REPORTED: Final = re.compile(rb'(<HOST\b[^>]*?\bREPORTED=")\d+')
_TN: Final = re.compile(rb'(<HOST\b[^>]*?\bTN=")(\d+)')
Lie = Callable[[bytes, float], bytes]


def lie(mode: str, first: bytes, began: float, silent: Sequence[str] = ()) -> Lie:
    """What is said in place of what is true, at a time. `first` was the truth at `began`. Pure."""
    if mode == "frozen":
        return lambda _truth, _now: first
    if mode == "stale":
        return lambda _truth, now: _TN.sub(partial(_older, int(now - began)), first)
    if mode == "empty":
        return lambda truth, _now: _HOST.sub(b"", truth)
    names = {name.encode() for name in silent}
    return lambda truth, now: _HOST.sub(partial(_silenced, names, int(began), int(now)), truth)


def _older(seconds: int, found: re.Match[bytes]) -> bytes:
    return b"%s%d" % (found[1], int(found[2]) + seconds)


def _silenced(names: set[bytes], began: int, now: int, found: re.Match[bytes]) -> bytes:
    """A host's element, in which it was not heard since before the lie."""
    element, name = found[0], _NAME.match(found[0])
    if name is None or name[1] not in names:
        return element
    heard = began - _SILENT_SECONDS
    element = _REPORTED.sub(rb"\g<1>%d" % heard, element, count=1)
    return _TN.sub(rb"\g<1>%d" % (now - heard), element, count=1)


def truth(port: int) -> bytes:
    """All that the true one says. Raises OSError."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK)
        connection.settimeout(_SECONDS)
        connection.connect(("127.0.0.1", port))
        said = b""
        while chunk := connection.recv(_CHUNK):
            said += chunk
        return said


def begin(port: int, mode: str, silent: Sequence[str]) -> None:
    """Lie from now on, in the background. Raises OSError, CalledProcessError, TestbedError."""
    end(port)
    with socket.create_server(("", port + _OFFSET)) as listener:
        began = time.time()
        tell = lie(mode, truth(port), began, silent)
        pid = os.fork()
        if pid == 0:
            _leave_terminal()
            _serve(listener, port, tell)
    _note(port).write_text(str(pid), encoding="ascii")
    rules = _RULES.format(table=_table(port), port=port, liar=port + _OFFSET, mark=_MARK)
    _nft("-f", "-", rules=rules)


def end(port: int) -> None:
    """Lie no more, whether it did or not."""
    if _table(port) in _nft("list", "tables").split():
        _nft("delete", "table", "inet", _table(port))
    with suppress(FileNotFoundError, ProcessLookupError):
        _kill(int(_note(port).read_text(encoding="ascii")))
    _note(port).unlink(missing_ok=True)


def _kill(pid: int) -> None:
    """Kill a process; its port is free when this returns."""
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], _SECONDS)
    finally:
        os.close(descriptor)


def _nft(*words: str, rules: str = "") -> str:
    command = [program("nft"), *words]
    return subprocess.run(
        command, input=rules, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _leave_terminal() -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)


def _serve(listener: socket.socket, port: int, tell: Lie) -> None:
    """Answer one after the other, until the process is killed."""
    while True:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.settimeout(_SECONDS)
            connection.sendall(tell(truth(port), time.time()))


def _note(port: int) -> Path:
    return Path(f"/run/3rc-lying-{port}.pid")


def _table(port: int) -> str:
    return f"lying_{port}"


def main(arguments: Sequence[str]) -> None:
    """Begin or end."""
    port, what, *words = arguments
    if what == "begin":
        mode, *silent = words
        begin(int(port), mode, silent)
    else:
        end(int(port))


if __name__ == "__main__":
    main(sys.argv[1:])
