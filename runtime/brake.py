"""The brake: when too much of the site goes silent at once, the monitor is not to be trusted. Pure.

A brake holds as long as what tripped it lasts, or until an operator releases it.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from threerc.runtime.config import Brake, HostName, Part
from threerc.runtime.observation import Observation


class Braked(Part):
    """A brake that was put on: since when, why, for which hosts, and whether it was released."""

    since: float
    reason: str
    hosts: tuple[HostName, ...]
    released: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """When the site was last judged, by any controller (0: never), and who was down then.

    `absent` are the hosts that the monitor does not know, and since when.
    """

    judged: float = 0.0
    down: AbstractSet[str] = frozenset()
    absent: Mapping[str, float] = field(default_factory=dict)


def went_silent(
    observation: Observation,
    down: AbstractSet[str],
    after: float,
    now: float,
    before: Before,
) -> dict[str, float]:
    """When each host that is down came to be so.

    Who was up when the site was last judged has gone silent since then, whatever the monitor says
    now. Whom the monitor does not know is absent since a tick noticed it; what is noticed only now
    counts as old, since nothing is done about it yet.
    """
    since: dict[str, float] = {}
    for name in down:
        seen = observation.hosts.get(name)
        if seen is None:
            since[name] = before.absent.get(name, 0.0)
            continue
        since[name] = now - seen.silent + after * seen.tmax
        if name not in before.down:
            since[name] = max(since[name], before.judged)
    return since


@dataclass(frozen=True, slots=True)
class Silence:
    """All that is silent: since when, on which physical host each VM is, and how many hosts are.

    `judged` is when the site was last judged, by any controller; 0: never.
    """

    since: Mapping[str, float]
    owners: Mapping[str, str]
    known: int
    judged: float


def judge(settings: Brake, before: Braked | None, silence: Silence, now: float) -> Braked | None:
    """The brake for this tick, or None.

    What went silent while nobody looked counts as well, however long that was.
    """
    limit = settings.share * silence.known
    still = set(before.hosts) & silence.since.keys() if before is not None else set()
    if before is not None and not before.released and len(still) > limit:
        return before
    excused = still if before is not None and before.released else set()
    oldest = min(now - settings.within, silence.judged)
    lately = {name for name, at in silence.since.items() if at >= oldest and name not in excused}
    if len(lately) > limit and not _one_host(lately, silence.owners):
        span = f"went silent within {now - oldest:.0f} s" if silence.judged else "are silent"
        reason = f"{len(lately)} of {silence.known} hosts {span}"
        return Braked(since=now, reason=reason, hosts=tuple(sorted(lately)))
    return before if excused else None


def _one_host(silent: AbstractSet[str], owners: Mapping[str, str]) -> bool:
    """Whether one physical host's death explains them all."""
    return len({owners.get(name, name) for name in silent}) == 1
