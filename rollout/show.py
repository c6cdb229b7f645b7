"""A roll-out for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from threerc.compiler.wording import counted
from threerc.rollout.apply import Outcome, Survey
from threerc.rollout.history import Time

_FEW: Final = 20


def survey(found: Survey) -> Iterator[str]:
    """What was found on the hosts."""
    for host, why in sorted(found.down.items()):
        yield f"not reached, catches up with the next apply: {host} ({_after(why)})"
    yield from _listed("not of the site any more, left as it is", found.gone)
    yield from _listed("undone from an apply that was killed", found.recovered)
    yield from _listed("boot link switched since, kept", found.links)
    yield from _listed("differs by hand, left as it is", found.edits)
    yield from _listed("in the way", found.conflicts)
    count = sum(map(len, found.changes.values()))
    if count:
        verb = "changes" if count == 1 else "change"
        hosts = sorted(host for host, files in found.changes.items() if files)
        yield f"{counted(count, 'file')} {verb} on {', '.join(hosts)}"


def outcome(done: Outcome) -> Iterator[str]:
    """What came of it."""
    for host, told in sorted(done.told.items()):
        if told:
            yield f"{host}: {', '.join(told)}"
    for host, absent in sorted(done.absent.items()):
        if absent:
            yield f"{host}: not installed there: {', '.join(absent)}"
    yield from _listed("boot link switched just now, kept", done.links)
    yield from _listed("not checked", done.survey.not_checked)
    yield from _listed("failed", done.why)
    yield from _listed("undone", done.undone)
    for host, why in sorted(done.behind.items()):
        yield f"lost at the very end, catches up with the next apply: {host} ({_after(why)})"


def failure(done: Outcome) -> str:
    """What an apply that failed has left."""
    but = f", but for {', '.join(sorted(done.amiss))}: see above" if done.amiss else ""
    return f"not applied: all hosts are as before{but}"


def times(found: Iterable[Time], current: int | None) -> Iterator[str]:
    """The history, a line for each time."""
    for time in found:
        mark = "*" if time.number == current else " "
        result = "killed, or still going on" if time.result == "begun" else time.result
        commit = f" {time.commit}" if time.commit else ""
        yield f"{mark} {time.number} {time.when} {time.who}{commit} {result}: {time.summary}"
        if time.why:
            yield f"    {time.why}"


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    yield from (f"{title}: {line}" for line in lines[:_FEW])
    if len(lines) > _FEW:
        yield f"{title}: and {len(lines) - _FEW} more"


def _after(why: str) -> str:
    """A reason without the name of its host."""
    return why.partition(": ")[2] or why
