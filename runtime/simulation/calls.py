"""Each call of a controller to the outside: it takes time, and may be the last one."""

from __future__ import annotations

from greenlet import getcurrent

from threerc.runtime.simulation.timeline import Killed, Process, Timeline


class Caller:
    """The controller on a host while it ticks. Its calls are counted from 1 in every tick.

    `dies_at` is the call at which it is killed, before that has any effect; `stalls` are the
    seconds for which it is stopped before a call.
    """

    def __init__(self, name: str, timeline: Timeline) -> None:
        self.name = name
        self.timeline = timeline
        self.calls = 0
        self.dies_at = 0
        self.stalls: dict[int, float] = {}
        self.slow = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether something is to happen to it in its next tick."""
        return bool(self.dies_at or self.stalls or self.slow)

    def call(self, seconds: float) -> None:
        """Begin a call and let the time pass that it takes."""
        self.calls += 1
        if self.calls == self.dies_at:
            self.dies_at = 0
            process = getcurrent()
            if isinstance(process, Process):
                process.root.kill()
            raise Killed
        stall = self.stalls.pop(self.calls, 0.0) if self.stalls else 0.0
        self.timeline.spend(seconds + stall + self.slow)

    def spend(self, seconds: float) -> None:
        """Wait within a call."""
        self.timeline.spend(seconds)
