"""A serial console at one's own terminal."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from threerc.testbed.errors import TestbedError

LEAVE: Final = b"\x1d"
"""What leaves a console: Ctrl-]."""
_CHUNK: Final = 4096


def attach(console: Path) -> None:
    """Type to a console and see what it says, until Ctrl-] or until either end is closed.

    TestbedError if nobody listens there.
    """
    with _connected(console) as connection, _raw(sys.stdin.fileno()) as keys:
        while True:
            ready, _, _ = select.select([connection.fileno(), *keys], [], [])
            if connection.fileno() in ready:
                said = connection.recv(_CHUNK)
                if not said:
                    return
                os.write(sys.stdout.fileno(), said)
            if keys and keys[0] in ready:
                typed = os.read(keys[0], _CHUNK)
                if not typed:  # the end of a pipe; there is still something to see
                    keys.clear()
                    continue
                before, leave, _ = typed.partition(LEAVE)
                connection.sendall(before)
                if leave:
                    return


@contextmanager
def _connected(console: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            folder = os.open(console.parent, os.O_PATH)
            try:  # a socket's path may have no more than 107 characters
                connection.connect(f"/proc/self/fd/{folder}/{console.name}")
            finally:
                os.close(folder)
        except OSError as error:
            raise TestbedError(f"{console.name} has no console now: {error.strerror}") from None
        yield connection


@contextmanager
def _raw(keyboard: int) -> Iterator[list[int]]:
    """Have each key as it is typed, where there is a terminal."""
    if not os.isatty(keyboard):
        yield [keyboard]
        return
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard)
        yield [keyboard]
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
