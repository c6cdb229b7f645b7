"""Virtual time: a queue of what happens when, and processes that spend time.

A process is ordinary code, such as a controller's tick, in a greenlet of its own: where it would
wait, others go on. Only one runs at a time and the queue decides which, so that the same events
happen in the same order in every run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any, Final

from greenlet import getcurrent, greenlet

Entry = list[Any]
"""Something in the queue: its moment, its place among those of that moment, what is called."""
LATE: Final = object()
"""In place of the result of work that was not done in time."""


class Killed(BaseException):
    """The end of a process, which no `except Exception` in it can hold up."""


class Timeline:
    """The queue. Moments are seconds since the epoch, of the true clock that nobody has."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._queue: list[Entry] = []
        self._count = 0
        self._until = inf
        self._stopped = False
        self.hub: greenlet = getcurrent()
        self.idle: list[_Carrier] = []
        self._before: Callable[[float], None] | None = None
        self._after: Callable[[], None] | None = None

    def watch(self, before: Callable[[float], None], after: Callable[[], None]) -> None:
        """Call these before and after everything that happens; `before` with its moment."""
        self._before, self._after = before, after

    def at(self, moment: float, call: Callable[[], Any]) -> Entry:
        """Call it then, or at once where that is over; what is returned can be cancelled."""
        self._count += 1
        entry = [max(moment, self.now), self._count, call]
        heapq.heappush(self._queue, entry)
        return entry

    def cancel(self, entry: Entry) -> None:
        """Do not call it after all."""
        entry[2] = None

    def stop(self) -> None:
        """End `run` when what is happening is over."""
        self._stopped = True

    def run(self, until: float) -> None:
        """Let everything happen that happens until then, or until it is stopped."""
        self.hub, self._until, self._stopped = getcurrent(), until, False
        while not self._stopped and self.next() <= until:
            moment, _, call = heapq.heappop(self._queue)
            if self._before is not None:
                self._before(moment)
            self.now = moment
            call()
            if self._after is not None:
                self._after()
        if not self._stopped:
            self.now = max(self.now, until)

    def next(self) -> float:
        """When something happens next; infinity: never."""
        queue = self._queue
        while queue and queue[0][2] is None:
            heapq.heappop(queue)
        return float(queue[0][0]) if queue else inf

    def spend(self, seconds: float) -> None:
        """Let time pass in the process that calls."""
        moment = self.now + seconds
        process = current()
        queue = self._queue
        if moment > self._until or (queue and queue[0][0] <= moment and self.next() <= moment):
            self.at(moment, process.switch)
            self.hub.switch()
        else:
            self.now = moment  # nobody else does anything meanwhile
        if process.family.killed:
            raise Killed

    def start(self, work: Callable[[], Any], owner: Process | None = None) -> Process:
        """Run work as a process from now on; it dies with its owner."""
        process = Process(work, self, owner)
        if getcurrent() is self.hub:
            process.switch()
        else:
            self.at(self.now, process.switch)
        return process

    def gather(self, works: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
        """Do works at the same time; their results, exceptions, or LATE after so many seconds.

        What is late goes on alone. To be called in a process.
        """
        process = current()
        results: dict[str, Any] = {}
        waits = bool(works)

        def wake() -> None:
            nonlocal waits
            if waits:
                waits = False
                process.switch()

        def done(name: str, work: Callable[[], Any]) -> None:
            try:
                result = work()
            except Exception as error:  # it is the result
                result = error
            if waits:
                results[name] = result
                if len(results) == len(works):
                    self.at(self.now, wake)

        for name, work in works.items():
            self.start(partial(done, name, work), process)
        if works:
            late = self.at(self.now + seconds, wake)
            self.hub.switch()
            self.cancel(late)
        if process.family.killed:
            raise Killed
        return {name: results.get(name, LATE) for name in works}


class Family:
    """Processes that end together: one that nobody owns, such as a tick, and all that it began."""

    def __init__(self) -> None:
        self.members: list[Process] = []
        self.killed = False


class Process:
    """Work that spends time. It `runs` from its beginning to its end."""

    def __init__(
        self, work: Callable[[], Any], timeline: Timeline, owner: Process | None = None
    ) -> None:
        self.work: Callable[[], Any] | None = work
        self.timeline = timeline
        self.family: Family = owner.family if owner else Family()
        self.family.members.append(self)
        self._carrier: _Carrier | None = None

    @property
    def runs(self) -> bool:
        """Whether it has begun and not ended."""
        return self._carrier is not None

    def switch(self) -> None:
        """Let it begin, or go on where it waits; nothing if it has ended."""
        if self._carrier is not None:
            self._carrier.switch()
        elif self.work is not None:
            idle = self.timeline.idle
            carrier = self._carrier = idle.pop() if idle else _Carrier(_carry, self.timeline.hub)
            carrier.process = self
            carrier.switch()

    def kill(self) -> None:
        """End it with its family, each at the point that it has reached."""
        self.family.killed = True
        for process in self.family.members:
            if process.runs and process is not _running():
                self.timeline.at(self.timeline.now, process.end)

    def end(self) -> None:
        """Raise Killed in it, where it waits."""
        if self._carrier is not None:
            self._carrier.throw(Killed)

    def run(self) -> None:
        """Do its work to the end; to be called where it is carried."""
        work, self.work = self.work, None
        try:
            if work is not None and not self.family.killed:
                work()
        except Killed:
            pass
        carrier, self._carrier = self._carrier, None
        self.family.members.remove(self)
        if carrier is not None:
            carrier.process = None
            self.timeline.idle.append(carrier)


class _Carrier(greenlet):
    """What processes run in, one after another: a new one for each would take much of the time."""

    process: Process | None = None


def _carry() -> None:
    """Run one process after another; while it waits for the next it holds nothing alive."""
    hub = getcurrent().parent
    assert hub is not None  # noqa: S101 - only the main one has none
    while True:
        current().run()
        hub.switch()


def _running() -> Process | None:
    carrier = getcurrent()
    return carrier.process if isinstance(carrier, _Carrier) else None


def current() -> Process:
    """The process that calls. Raises RuntimeError where it is none: only those can spend time."""
    process = _running()
    if process is None:
        raise RuntimeError("only a process can spend time")
    return process
