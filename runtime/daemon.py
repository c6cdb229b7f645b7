"""When a controller ticks: once for cron, or by itself in its own minutes (thesis 8.6.2)."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from threerc.runtime import journal
from threerc.runtime.config import ControllerConfig, Minutes
from threerc.runtime.controller import tick
from threerc.runtime.errors import ControllerError
from threerc.runtime.metrics import Figures, publish
from threerc.runtime.round import Report
from threerc.runtime.stores.files import told
from threerc.runtime.world import World

_MINUTE: Final = 60
_TELL_AGAIN: Final = 600
_OVERDUE: Final = 5
"""A tick is overdue after so many deadlines of an action: less is enough for all that it does."""
_SECOND: Final = 1
"""Cron starts its jobs in the first second of a minute; a daemon keeps to that."""
_log = logging.getLogger(__name__)


class Busy(ControllerError):
    """The tick before this one is still under way on this host."""


@contextmanager
def alone(folder: Path, me: str) -> Iterator[None]:
    """Only one tick at a time of this controller, however long one takes.

    Its lock is a file beside the state that nobody else may open: who can open a file can lock it.
    Raises Busy, and StoreLost where the state is not there.
    """
    with told(folder):
        handle = _lock_file(folder, me)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise Busy("the tick before this one is still under way") from None
        except OSError as error:
            if error.errno != errno.ENOLCK:
                raise
            _log.warning("%s has no locks: two ticks at once only hinder each other", folder)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def overseen(world: World, config: ControllerConfig, me: str, *, once: bool) -> Iterator[None]:
    """Tell people where the block does not end, as when the state is on an NFS server that hangs.

    Cron starts a tick that is held up each second minute: of those, `once`, one in ten minutes
    tells.
    """

    def tell() -> None:
        _log.error(reason)
        world.tell([journal.standstill(world.now(), me, reason)])

    seconds = _OVERDUE * config.deadline
    reason = f"a tick is not over after {seconds} s: does the shared state hang?"
    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    if not once or world.now() % _TELL_AGAIN < 2 * _MINUTE:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _lock_file(folder: Path, me: str) -> int:
    """The open lock; it is the state's owner's, also where root looks at the site by hand."""
    path = folder / f".{me}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle


def measured_tick(
    world: World,
    config: ControllerConfig,
    figures: Figures,
    *,
    act: bool = True,
    every: int | None = None,
) -> Report:
    """A tick, and its figures. Raises StoreLost."""
    start = time.monotonic()
    report = tick(world, config, figures.me, act=act, every=every)
    if act:
        seconds = time.monotonic() - start
        figures.update(config, report, seconds)
        try:
            publish(config.metrics, figures)
        except OSError as error:
            _log.warning("no metrics: %s", error)
    return report


def due(minutes: Minutes, now: float) -> float:
    """When the next tick is due after `now`, on a clock whose minutes begin at multiples of 60."""
    minute = int(now // _MINUTE) + 1
    if minutes != "every" and minute % 2 != (minutes == "odd"):
        minute += 1
    return float(minute * _MINUTE + _SECOND)


def due_every(seconds: int, now: float) -> float:
    """When the next tick is due, every so many seconds."""
    return float((now // seconds + 1) * seconds)


def run(world: World, config: ControllerConfig, figures: Figures, every: int | None) -> None:
    """Tick until the process is told to end (SIGTERM, Ctrl-C), which it does after its tick.

    What goes wrong is logged, and tried again.
    """
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    minutes = config.controllers[figures.me]
    when = f"every {every} s" if every else f"{minutes} minutes"
    _log.warning("%s of %s looks at the site: %s", figures.me, config.site, when)
    while not end.wait(_seconds_to_wait(minutes, every, time.time())):
        try:
            with (
                overseen(world, config, figures.me, once=False),
                alone(Path(config.state_directory), figures.me),
            ):
                measured_tick(world, config, figures, every=every)
        except ControllerError as error:
            _log.error("the tick ended early: %s", error)
        except Exception:
            # Of one tick. The next one may well find the site in another state.
            _log.exception("a bug: please report it")


def _seconds_to_wait(minutes: Minutes, every: int | None, now: float) -> float:
    return max(0.0, (due_every(every, now) if every else due(minutes, now)) - now)
