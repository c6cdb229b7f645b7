"""The text that the thesis's plugin prints for shell scripts (thesis 7.10)."""

from __future__ import annotations

from typing import Final

from threerc.runtime.observation import Observation, Seen

DOWN: Final = 9999
"""Stands in the place of the seconds for a host that is down: scripts look for it (appendix,
`grep 9999`), and would take any other number for a host that is up."""
_HEADER: Final = "HOSTS STATUS\nhostname;load;last_ping;\n"


def status_text(observation: Observation, domain: str, after: float = 4.0) -> str:
    """A line `alfa01.sns.it;2.94;25;` per host: 5-minute load, seconds since its last heartbeat.

    A host is down after `after` times its TMAX. A load that is not known is left empty, which no
    shell takes for a low one.
    """
    lines = sorted(
        f"{_full(name, domain)};{_load(seen)};{_seconds(seen, observation.age, after)};\n"
        for name, seen in observation.hosts.items()
    )
    return _HEADER + "".join(lines)


def _full(name: str, domain: str) -> str:
    """A host's full name; one that is known by its address alone keeps that."""
    return name if "." in name or ":" in name else f"{name}.{domain}"


def _load(seen: Seen) -> str:
    return "" if seen.load is None else f"{seen.load:.2f}"


def _seconds(seen: Seen, age: float, after: float) -> int:
    """Up to now, as Ganglia shows it; `Seen.silent` is what the monitor had seen `age` ago."""
    return DOWN if seen.down(after) else min(int(seen.silent + age), DOWN - 1)
