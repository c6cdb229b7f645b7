"""A VM's way through a scenario, simulated and real, side by side. Pure.

Both are told in seconds since the scenario began, since the real one has another day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from threerc.runtime.errors import ControllerError
from threerc.runtime.simulation.outcome import Outcome
from threerc.testbed.events import Event, Kind

_WIDTH: Final = 44


@dataclass
class Story:
    """What happened to one VM: at which second what, where it ended, and how long it was away."""

    told: list[tuple[float, str]] = field(default_factory=list)
    host: str = ""
    state: str = ""
    down: float = 0.0


def simulated(outcome: Outcome) -> dict[str, Story]:
    """The stories of a simulation."""
    simulation = outcome.simulation
    begin, end = simulation.start.time, simulation.timeline.now
    state = {vm: life["state"] for vm, life in outcome.json["virtual_machines"].items()}
    stories: dict[str, Story] = {}
    for vm, life in simulation.history.lives.items():
        story = stories[vm] = Story(host=life.host, state=state[vm])
        for away, back in life.downs:
            story.told.append((away - begin, "down"))
            if back is not None:
                story.told.append((back - begin, "up"))
            story.down += (end if back is None else back) - away
    for said in simulation.said:
        events = [] if isinstance(said.report, ControllerError) else said.report.events
        for event, words in _actions(events):
            stories[event["vm"]].told.append((event["time"] - begin, words))
    for story in stories.values():
        story.told.sort()
    return stories


def _actions(events: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for event in events:
        if event.get("kind", event.get("what")) == "action":
            yield event, f"{event['step']} on {event['to']}"


def real(
    events: Sequence[Event], vms: Mapping[str, str], begin: float, end: float
) -> dict[str, Story]:
    """The stories of a testbed; `vms` has where each of them was, serving, at the beginning."""
    told = [event for event in events if begin <= event.time <= end]
    return {
        vm: _real([event for event in told if event.of == vm], host, begin, end)
        for vm, host in vms.items()
    }


def _real(events: Sequence[Event], host: str, begin: float, end: float) -> Story:
    story = Story(host=host, state="up")
    away: float | None = None
    for event in events:
        at = event.time - begin
        if event.kind is Kind.STARTED:
            story.host = str(event.detail.get("host", story.host))
        if event.kind is Kind.DECISION:
            story.told += [(at, words) for _, words in _actions([event.detail])]
        elif event.kind in {Kind.FAULT, Kind.STOPPED} and away is None:
            away, story.state = event.time, "down"
            story.told.append((at, "down"))
        elif event.kind is Kind.BOOTED and away is not None:
            story.down += event.time - away
            away, story.state = None, "up"
            story.told.append((at, "up"))
    if away is not None:
        story.down += end - away
    return story


def beside(ours: Mapping[str, Story], theirs: Mapping[str, Story]) -> list[str]:
    """Simulated and real, as lines for people: what is the same in both stands in one line."""
    lines: list[str] = []
    for vm in sorted({*ours, *theirs}):
        left, right = ours.get(vm, Story()), theirs.get(vm, Story())
        lines.append(f"{vm:<12}{'simulated':<{_WIDTH}}real")
        for one, other in _aligned(left.told, right.told):
            lines.append(f"{'':<12}{_cell(one):<{_WIDTH}}{_cell(other)}".rstrip())
        ends = [f"{s.state} on {s.host}, away {s.down:.0f} s" for s in (left, right)]
        lines.append(f"{'':<12}{ends[0]:<{_WIDTH}}{ends[1]}")
    return lines


def differences(ours: Mapping[str, Story], theirs: Mapping[str, Story]) -> list[str]:
    """What the real site did otherwise than was foretold: steps, hosts, ends; not when."""
    found: list[str] = []
    for vm in sorted({*ours, *theirs}):
        left, right = ours.get(vm, Story()), theirs.get(vm, Story())
        steps = [[what for _, what in story.told if " on " in what] for story in (left, right)]
        for what, one, other in [
            ("steps", ", ".join(steps[0]) or "none", ", ".join(steps[1]) or "none"),
            ("host", left.host, right.host),
            ("state", left.state, right.state),
        ]:
            if one != other:
                found.append(f"{vm}: {what}: simulated {one}, real {other}")
    return found


Told = tuple[float, str]


def _aligned(
    left: Sequence[Told], right: Sequence[Told]
) -> Iterator[tuple[Told | None, Told | None]]:
    """Both in order, the same words in one line as far as they come in the same order."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - only a comparison needs it

    ours, theirs = ([what for _, what in side] for side in (left, right))
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(left[a:b], right[c:d], strict=True)
        else:
            yield from ((each, None) for each in left[a:b])
            yield from ((None, each) for each in right[c:d])


def _cell(told: Told | None) -> str:
    if told is None:
        return ""
    minutes, seconds = divmod(round(told[0]), 60)
    return f"+{minutes:02}:{seconds:02} {told[1]}"
