"""Heartbeats: who sends them, and which of them each Ganglia collector has heard.

Nothing happens for a single heartbeat; when the last one was follows from when the first one was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from threerc.runtime.observation import TMAX


class Ear:
    """What one collector has heard: up to which moment at the last change, and since then."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self.since: dict[str, float] = {}


class Beats:
    """All heartbeats, one in `period` seconds.

    `sends` tells whether a host does, `hears` whether a collector gets it.
    """

    def __init__(
        self,
        now: Callable[[], float],
        sends: Callable[[str], bool],
        hears: Callable[[str, str], bool],
        collectors: Iterable[str],
        names: Iterable[str],
    ) -> None:
        self.period: float = TMAX
        self.names = tuple(names)
        self.now = now
        self.sends = sends
        self.hears = hears
        self.first: dict[str, float] = {}
        self.ears = {name: Ear() for name in collectors}

    def begin(self, name: str, before: float) -> None:
        """A host that has been heard for long; its last heartbeat was so many seconds ago."""
        self.first[name] = self.now() - before
        for collector, ear in self.ears.items():
            if self.hears(collector, name):
                ear.heard[name] = ear.since[name] = self.first[name]

    def update(self, name: str) -> None:
        """Take notice of a change of a host, or of the network between it and the collectors."""
        now = self.now()
        for collector, ear in self.ears.items():
            last = self.last(collector, name, now)
            if last is not None:
                ear.heard[name] = last
            ear.since.pop(name, None)
        if not self.sends(name):
            self.first.pop(name, None)
            return
        self.first.setdefault(name, now)
        for collector, ear in self.ears.items():
            if self.hears(collector, name):
                ear.since[name] = now

    def forget(self, collector: str) -> None:
        """A collector starts anew: it knows what it hears from now on."""
        ear = self.ears[collector]
        ear.heard.clear()
        ear.since = dict.fromkeys(ear.since, self.now())

    def last(self, collector: str, name: str, moment: float) -> float | None:
        """When the last heartbeat up to a moment was that a collector has heard; None: never."""
        ear = self.ears[collector]
        since = ear.since.get(name)
        if since is not None:
            first = self.first[name]
            last = first + (moment - first) // self.period * self.period
            if last >= since and last >= first:
                return last
        heard = ear.heard.get(name)
        # One beat more than the moment allows: what was heard before it was the one before.
        return heard - self.period if heard is not None and heard > moment else heard

    def all(self, collector: str, moment: float) -> dict[str, float]:
        """The same for all hosts of which it has ever heard."""
        ear, first = self.ears[collector], self.first
        found: dict[str, float] = {}
        for name in self.names:
            since = ear.since.get(name)
            if since is not None:
                begin = first[name]
                last = begin + (moment - begin) // self.period * self.period
                if last >= since and last >= begin:
                    found[name] = last
                    continue
            old = self.last(collector, name, moment)
            if old is not None:
                found[name] = old
        return found

    def next_death(self, collector: str, limit: float, slack: float) -> float:
        """When the first host may have been silent for longer than a limit; infinity: never.

        Whoever has been heard for as long as `slack` goes on beating, as long as nothing happens.
        """
        ear, now = self.ears[collector], self.now()
        found = inf
        for name in self.names:
            since = ear.since.get(name)
            if since is not None and since <= now - slack:
                continue
            last = ear.heard.get(name)  # gmetad may not have asked since then
            if last is None:
                return now
            if since is None or last < now - slack:
                found = min(found, last + limit)
        return found
