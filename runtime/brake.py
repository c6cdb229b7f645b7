"""The brake: when too much of the site goes silent at once, the monitor is not to be trusted. Pure.

A brake holds as long as what tripped it lasts, or until an operator releases it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from threerc.runtime.config import Brake, HostName, Part
from threerc.runtime.observation import Observation


class Braked(Part):
    """A brake that was put on: since when, why, for which hosts, and whether it was released."""

    since: float
    reason: str
    hosts: tuple[HostName, ...]
    released: bool = False


def went_silent(
    observation: Observation, down: Set[str], after: float, now: float, absent: Mapping[str, float]
) -> dict[str, float]:
    """When each host that is down came to be so; `absent` are those the monitor does not know."""
    since: dict[str, float] = {}
    for name in down:
        seen = observation.hosts.get(name)
        since[name] = (
            absent.get(name, 0.0) if seen is None else now - seen.silent + after * seen.tmax
        )
    return since


def judge(
    settings: Brake,
    before: Braked | None,
    since: Mapping[str, float],
    owners: Mapping[str, str],
    known: int,
    now: float,
) -> Braked | None:
    """The brake for this tick, or None.

    `since` says when each silent host became so, `owners` which physical host each VM is on,
    `known` how many hosts there are.
    """
    limit = settings.share * known
    if before is not None:
        still = set(before.hosts) & since.keys()
        if before.released:
            since = {name: when for name, when in since.items() if name not in still}
        elif len(still) > limit:
            return before
    lately = {name for name, when in since.items() if when > now - settings.within}
    if len(lately) <= limit or _one_host(lately, owners):
        return before if before is not None and before.released and still else None
    reason = f"{len(lately)} of {known} hosts went silent within {settings.within} s"
    return Braked(since=now, reason=reason, hosts=tuple(sorted(lately)))


def _one_host(silent: Set[str], owners: Mapping[str, str]) -> bool:
    """Whether one physical host's death explains them all."""
    return len({owners.get(name, name) for name in silent}) == 1
