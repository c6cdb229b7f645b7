"""Each call of a controller to the outside: it takes time, and may be the last one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from threerc.runtime.simulation.timeline import Killed, Timeline, current


@dataclass(frozen=True)
class At:
    """A call of a tick: the n-th of its name, such as the second `put`; without a name of all."""

    name: str
    number: int

    @classmethod
    def of(cls, text: str) -> At:
        """From `kill`, `put 2` or `12`. Raises ValueError."""
        name, _, number = text.partition(" ")
        if name.isdigit():
            return cls("", int(name))
        return cls(name, int(number or 1))


class Caller:
    """The controller on a host while it ticks. Its calls are counted from 1 in every tick.

    `dies_at` is the call at which it is killed, before that has any effect; `stalls` are the
    seconds for which it is stopped before a call, and `slow` what each takes more.
    """

    def __init__(self, name: str, timeline: Timeline) -> None:
        self.name = name
        self.timeline = timeline
        self.counts: Counter[str] = Counter()
        self.dies_at: At | None = None
        self.stalls: dict[At, float] = {}
        self.slow = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether something is to happen to it in its next tick."""
        return bool(self.dies_at or self.stalls or self.slow)

    def begin(self) -> None:
        """A tick begins."""
        self.counts.clear()

    def call(self, name: str, seconds: float) -> None:
        """Begin a call and let the time pass that it takes."""
        if self.dies_at or self.stalls:
            seconds += self._disturb(name)
        self.timeline.spend(seconds + self.slow)

    def _disturb(self, name: str) -> float:
        """Die here, or stop for so many seconds."""
        self.counts.update((name, ""))
        here = (At("", self.counts[""]), At(name, self.counts[name]))
        if self.dies_at in here:
            self.dies_at = None
            current().kill()
            raise Killed
        return sum(self.stalls.pop(at, 0.0) for at in here)

    def spend(self, seconds: float) -> None:
        """Wait within a call."""
        self.timeline.spend(seconds)
