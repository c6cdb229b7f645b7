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
        process = _current()
        queue = self._queue
        if moment > self._until or (queue and queue[0][0] <= moment and self.next() <= moment):
            self.at(moment, process.switch)
            self.hub.switch()
        else:
            self.now = moment  # nobody else does anything meanwhile
        if process.killed or process.root.killed:
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
        process = _current()
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
        if process.killed or process.root.killed:
            raise Killed
        return {name: results.get(name, LATE) for name in works}


class Process(greenlet):
    """Work that spends time. `root` is the process that it belongs to, such as a tick.

    What belongs to one that was `killed` is so too.
    """

    def __init__(
        self, work: Callable[[], Any], timeline: Timeline, owner: Process | None = None
    ) -> None:
        super().__init__(self._run_to_end, timeline.hub)
        self.work = work
        self.timeline = timeline
        self.root: Process = owner.root if owner else self
        self.family: list[Process] = []
        self.killed = False
        if owner:
            self.root.family.append(self)

    def kill(self) -> None:
        """End it with all that belongs to it, at the point that each has reached."""
        self.killed = True
        for process in (self, *self.family):
            if process and process is not getcurrent():
                self.timeline.at(self.timeline.now, process.end)

    def end(self) -> None:
        """Raise Killed in it, where it waits."""
        if self:
            self.throw(Killed)

    def _run_to_end(self) -> None:
        try:
            if not self.killed and not self.root.killed:
                self.work()
        except Killed:
            pass


def _current() -> Process:
    process = getcurrent()
    if process.__class__ is not Process:
        raise RuntimeError("only a process can spend time")
    return process
