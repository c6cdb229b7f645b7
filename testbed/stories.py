"""A VM's way through a scenario, simulated and real, side by side. Pure.

Both are told in seconds since the scenario began, since the real one has another day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from threerc.runtime.errors import ControllerError
from threerc.runtime.simulation.guests import STALE
from threerc.runtime.simulation.invariants import BY_POLICY, TWO_COPIES
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.scenario import Expected
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import FAULTS, HOST, VM, Fault
from threerc.testbed.splitting import last_copies

_WIDTH: Final = 44
_OWN: Final = {Kind.DECISION, Kind.STARTED, Kind.STOPPED, Kind.BOOTED}
_UNSEEN: Final = {"gmond", "install-fails"}
"""What no user of a VM notices, or not yet."""


@dataclass
class Story:
    """What happened to one VM: at which second what, where it was started last, how it is in the
    end (`up`, `down`, or `off`: no copy runs), for how many seconds it was away, how often it went
    to another host, and how many copies there were at once at the most (known of real ones).
    """

    told: list[tuple[float, str]] = field(default_factory=list)
    host: str = ""
    state: str = ""
    down: float = 0.0
    moves: int = 0
    copies: int = 1


def simulated(outcome: Outcome) -> dict[str, Story]:
    """The stories of a simulation."""
    simulation = outcome.simulation
    begin, end = simulation.start.time, simulation.timeline.now
    state = {vm: life["state"] for vm, life in outcome.json["virtual_machines"].items()}
    stories: dict[str, Story] = {}
    for vm, life in simulation.history.lives.items():
        story = stories[vm] = Story(host=life.host, state=state[vm], moves=len(life.moves))
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
    stories = {vm: _Life(vm, host, begin).told(told, end) for vm, host in vms.items()}
    for vm, story in stories.items():
        if story.state == "down" and not last_copies(told, vm, [vms[vm]]):
            story.state = "off"
    return stories


class _Life:
    """Follows one VM through events: whether its users reach it, and where it is."""

    def __init__(self, vm: str, host: str, begin: float) -> None:
        self.vm = vm
        self.story = Story(host=host, state="up")
        self._begin = begin
        self._away: float | None = None
        self._runs = True
        self._faults: dict[tuple[str, str], Fault] = {}
        """What has struck it and is not over: by target and name."""
        self._misled: set[str] = set()
        """The DHCP servers (`*`: all) of which it gets an address of former times if it boots."""

    def told(self, events: Iterable[Event], end: float) -> Story:
        for event in events:
            if event.of == self.vm and event.kind in _OWN:
                self._own(event)
            elif event.kind in {Kind.FAULT, Kind.HEAL} and "fault" in event.detail:
                self._fault(event)
        if self._away is not None:
            self.story.down += end - self._away
        return self.story

    def _own(self, event: Event) -> None:
        if event.kind is Kind.DECISION:
            at = event.time - self._begin
            self.story.told += [(at, words) for _, words in _actions([event.detail])]
        elif event.kind is Kind.STARTED:
            host = str(event.detail["host"])
            self.story.moves += host != self.story.host
            self.story.host = host
            self._begins_anew()
        elif event.kind is Kind.STOPPED:
            if event.detail["host"] == self.story.host:  # else an older copy, somewhere else
                self._runs = False
                self._down(event.time)
        else:
            self._begins_anew()
            if not self._misled:
                self._up(event.time)

    def _begins_anew(self) -> None:
        """It runs, and what has struck it before is over, unless that stays until it is healed."""
        self._runs = True
        self._faults = {key: fault for key, fault in self._faults.items() if fault.lasting}

    def _fault(self, event: Event) -> None:
        name = str(event.detail["fault"])
        key = event.of, name
        if name == "dhcp":
            begins = event.kind is Kind.FAULT and event.detail.get("mode") == STALE
            (self._misled.add if begins else self._misled.discard)(event.of)
            return
        if event.kind is Kind.HEAL:
            if self._faults.pop(key, None) is not None:
                self._up(event.time)
            return
        found = FAULTS.get((name, VM if event.of == self.vm else HOST))
        strikes = event.of == self.vm or (event.of == self.story.host and self._runs)
        if found is None or not strikes or not (found.of == VM or found.takes_machines):
            return
        if name not in _UNSEEN:
            self._faults[key] = found
            self._down(event.time)

    def _down(self, now: float) -> None:
        if self._away is None:
            self._away, self.story.state = now, "down"
            self.story.told.append((now - self._begin, "down"))

    def _up(self, now: float) -> None:
        if self._away is not None and self._runs and not self._faults:
            self.story.down += now - self._away
            self._away, self.story.state = None, "up"
            self.story.told.append((now - self._begin, "up"))


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


def unmet(expect: Expected, told: Mapping[str, Story]) -> list[str]:
    """What of the real stories is not as a scenario expects it, in the simulator's words.

    Of the invariants two copies alone are seen, and whether the site's policy gave one up is not.
    """
    found = [
        f"{vm}: {what}"
        for vm, wanted in expect.vms.items()
        for what in wanted.unmet(asdict(told[vm]) | {"down": round(told[vm].down, 1)})
    ]
    doubled = [vm for vm, story in told.items() if story.copies > 1]
    if not {TWO_COPIES, BY_POLICY}.intersection(expect.violations):
        found += [f"{TWO_COPIES}: {vm} ran on two hosts at once" for vm in doubled]
    return [*found, *expect.missing([TWO_COPIES, BY_POLICY] if doubled else [])]


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
