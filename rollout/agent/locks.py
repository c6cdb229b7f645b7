"""Locks that end with who holds them."""

from __future__ import annotations

import fcntl
import time

_TRIES = 10
_SECONDS = 0.1


def take(handle: int) -> bool:
    """Lock an open file; False where somebody has it.

    It is tried for a second: a program that was just being started when an apply was killed has
    the lock until it has begun.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_SECONDS)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False
