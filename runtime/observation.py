"""What a monitor says of the hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TMAX = 20.0
"""Seconds within which Ganglia expects a host's next heartbeat."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One host: 5-minute load (None: not reported), and seconds since its last heartbeat.

    `tmax` is how many seconds may lie between two heartbeats (Ganglia's TMAX).
    """

    load: float | None
    silent: float
    tmax: float = TMAX

    def down(self, after: float) -> bool:
        """Whether it has been silent for more than `after` times its TMAX."""
        return self.silent > after * self.tmax


@dataclass(frozen=True, slots=True)
class Observation:
    """All hosts by short name, as one source had them `age` seconds ago.

    `silent` is what the source had seen `age` seconds ago: the time since then is no evidence of
    anything. `host` is the host that the source runs on, where it is known. `failed` are the
    sources that were asked before and had nothing fresh, with what they said.
    """

    hosts: Mapping[str, Seen]
    source: str
    host: str = ""
    age: float = 0.0
    failed: tuple[str, ...] = ()

    def down(self, names: Iterable[str], after: float) -> set[str]:
        """Those of `names` that are silent for too long, or that the monitor does not know."""
        return {
            name for name in names if (seen := self.hosts.get(name)) is None or seen.down(after)
        }

    def load(self, name: str) -> float | None:
        """A host's 5-minute load, or None."""
        seen = self.hosts.get(name)
        return seen.load if seen else None
