"""Whether a crash was recovered as it has to be. Pure: facts in, what is wrong out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """What a testbed shows of a VM after its recovery.

    `copies` are the physical hosts that it runs on, `most` how many copies there were
    at most at one moment. `record` is the host that the controllers remember; `ganglia` whether
    each collector hears it. `hinfo` is what it read from DNS when it was installed, `middleware`
    the scripts that have run on it, `link` the boot file that it would boot next. `untouched` are
    the seconds after which its fault was healed since no controller had done anything, and `why`.
    """

    copies: tuple[str, ...]
    most: int
    record: str
    allowed: tuple[str, ...]
    ganglia: Mapping[str, bool] = field(default_factory=dict)
    link: str = ""
    declared: str = ""
    hinfo: str = ""
    middleware: tuple[str, ...] = ()
    untouched: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Wanted:
    """What must hold: recovery within so many seconds and, after a reinstallation, its middleware.

    `hinfo` is None where it was not installed anew.
    """

    within: float
    hinfo: str | None = None
    middleware: tuple[str, ...] = ()


def judge(facts: Facts, wanted: Wanted, total: float | None) -> tuple[str, ...]:
    """What is wrong, a sentence each; `total` is the recovery time in seconds, if it recovered."""
    time = _time(facts, wanted, total)
    return (*time, *_copies(facts), *_known(facts), *_installed(facts, wanted))


def _time(facts: Facts, wanted: Wanted, total: float | None) -> Iterator[str]:
    if facts.untouched is not None:
        yield f"it was healed after {facts.untouched:.0f} s without any action: {facts.why}"
    elif total is None:
        yield f"it did not recover within {wanted.within:.0f} s"
    elif total > wanted.within:
        yield f"it took {total:.0f} s, more than {wanted.within:.0f} s"


def _copies(facts: Facts) -> Iterator[str]:
    if facts.most > 1:
        yield f"there were {facts.most} copies of it at once"
    if len(facts.copies) != 1:
        yield "it runs on " + (", ".join(facts.copies) or "no physical host")
    for host in facts.copies:
        if host not in facts.allowed:
            yield f"it runs on {host}, where it may not"
        if host != facts.record:
            yield f"it runs on {host}, but the controllers remember {facts.record}"


def _known(facts: Facts) -> Iterator[str]:
    for collector, hears in facts.ganglia.items():
        if not hears:
            yield f"the collector on {collector} does not hear it"
    if facts.link != facts.declared:
        yield f"its boot link says {facts.link}, not {facts.declared}"


def _installed(facts: Facts, wanted: Wanted) -> Iterator[str]:
    if wanted.hinfo is None:
        return
    if facts.hinfo != wanted.hinfo:
        yield f"it was installed as {facts.hinfo or 'nothing'}, not as {wanted.hinfo}"
    if facts.middleware != wanted.middleware:
        ran = ", ".join(facts.middleware) or "no scripts"
        yield f"its middleware ran {ran}, not {', '.join(wanted.middleware) or 'none'}"
