"""The file of what happened, on a disk that grows full."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest

from threerc.testbed.events import Event, Kind, append, read


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond that: the kernel writes what fits, as on a full disk."""
    old, most = getrlimit(RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    setrlimit(RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (old, most))
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_is_written_half_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    first, lost, next_ = (Event(float(at), Kind.NOTE, "ph1", {"what": "x"}) for at in range(3))
    append(file, first)
    size = file.stat().st_size
    with room_for(size + 10), pytest.raises(OSError, match="No space left") as failed:
        append(file, lost)
    assert failed.value.errno == errno.ENOSPC
    assert file.stat().st_size == size + 10
    append(file, next_)
    assert read(file) == [first, next_]
