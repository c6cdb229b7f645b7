"""The controllers of a simulated site: their hosts' cron starts the real tick, in a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Final

from threerc.runtime.config import Minutes
from threerc.runtime.controller import tick
from threerc.runtime.daemon import due, due_every
from threerc.runtime.errors import ControllerError
from threerc.runtime.memory import Memory, load_records
from threerc.runtime.round import Report
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.clock import Clock
from threerc.runtime.simulation.invariants import UNREADABLE, Invariants
from threerc.runtime.simulation.site import Site
from threerc.runtime.simulation.timeline import Entry, Killed, Process
from threerc.runtime.simulation.world import SimWorld

_CRON: Final = 0.2
"""Seconds that cron needs to start a controller."""
_LITTLE: Final = 1e-3
_PERIOD: Final = {"even": 120, "odd": 120, "every": 60}


@dataclass(frozen=True)
class Duty:
    """A controller's host and when it ticks: minutes by its own clock, or every how many seconds.

    `zone` is its log's.
    """

    name: str
    minutes: Minutes | int
    zone: tzinfo


Answer = Callable[["Controller", Report | ControllerError], None]


class Controller:
    """One of them. It ticks as long as its host runs and it is not `off`.

    `on_report` gets what came of each tick, or the error by which it ended. Its last tick was
    `calm` if nothing was said that the next one might say again; `seen` are the writes to the
    shared state that it knew of.
    """

    def __init__(self, site: Site, duty: Duty, invariants: Invariants, on_report: Answer) -> None:
        self.site = site
        self.name = duty.name
        self.minutes = duty.minutes
        self.invariants = invariants
        self.on_report = on_report
        self.clock = Clock(since=site.timeline.now)
        self.caller = Caller(duty.name, site.timeline)
        self.world = SimWorld(site, self.caller, self.clock, duty.zone)
        self.world.on_look = partial(invariants.looks, duty.name)
        self.off = False
        self.process: Process | None = None
        self.began = 0.0
        self.seen = -1
        self.calm = False
        self._entry: Entry | None = None

    def schedule(self) -> None:
        """Put the next tick into the queue; to be called anew when the clock was set."""
        self.cancel()
        moment = self.after(self.site.timeline.now)
        self._entry = self.site.timeline.at(moment, self._begin)

    def cancel(self) -> None:
        """Begin no tick until it is scheduled anew."""
        if self._entry is not None:
            self.site.timeline.cancel(self._entry)
            self._entry = None

    def set_clock(self, clock: Clock) -> None:
        """Give it another clock; what was scheduled by the old one is scheduled anew."""
        clock.since = self.site.timeline.now
        self.clock = self.world.clock = clock
        self.schedule()

    def jump(self, seconds: float) -> None:
        """Set its clock forward, or back."""
        self.clock.jump(seconds)
        self.schedule()

    def after(self, moment: float) -> float:
        """The true moment of the first tick after a true moment."""
        # A little later, so that a clock that drifts does not round into the tick that is now.
        local = self.clock.local(moment) - _CRON + _LITTLE
        if isinstance(self.minutes, int):
            found = due_every(self.minutes, local)
        else:
            # A minute whose first second is not over yet is still to come.
            found = due(self.minutes, local - 1)
        return self.clock.true(found + _CRON)

    def last(self, moment: float) -> float:
        """The true moment of the last tick that was due before a true moment."""
        local = self.clock.local(self.after(moment))
        period = self.minutes if isinstance(self.minutes, int) else _PERIOD[self.minutes]
        last = self.clock.true(local - period)
        return last if last < moment else self.clock.true(local - 2 * period)

    @property
    def lives(self) -> bool:
        """Whether its host runs, and its cron."""
        return self.site.hosts[self.name].runs and not self.off

    def _begin(self) -> None:
        self.schedule()
        busy = self.process is not None and self.process.runs
        if self.lives and not busy:
            self.process = self.site.timeline.start(self.tick)

    def kill(self) -> None:
        """End a tick that is under way."""
        if self.process is not None:
            self.process.kill()

    def note(self, moment: float) -> None:
        """Leave behind what a tick does, at a moment of its clock, in which all is well."""
        memory = Memory(self.site.store, self.world.zone, self.name, moment)
        memory.load()
        memory.note(())

    def tick(self) -> None:
        """One tick of the real controller."""
        self.caller.begin()
        self.began, self.calm = self.site.timeline.now, False
        writes, own = self.site.store.writes, self.world.store.writes
        self.invariants.begins(self.name)
        report: Report | ControllerError
        try:
            every = self.minutes if isinstance(self.minutes, int) else None
            report = tick(self.world, self.site.config, self.name, every=every)
        except Killed:
            self._check_state()
            raise
        except ControllerError as error:
            report = error
        except Exception as error:  # whatever it is, it is a finding
            self.invariants.crashed(self.name, error)
            return
        if isinstance(report, Report):
            self.invariants.ended(self.name, report)
            said = (event["kind"] for event in report.events)
            self.calm = not report.standstill and all(kind == "recovered" for kind in said)
        self.seen = writes + self.world.store.writes - own
        self.on_report(self, report)

    def _check_state(self) -> None:
        """Whoever comes next must be able to read what was left, wherever this one died."""
        try:
            load_records(self.site.store)
        except ControllerError as error:
            self.invariants.say(UNREADABLE, f"after {self.name}: {error}")
