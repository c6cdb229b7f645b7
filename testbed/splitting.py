"""What a recovery time is made of, from what was seen. Pure.

The parts are the simulator's, so that both can be laid side by side: see `Crash`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from threerc.runtime.simulation.campaign import Crash
from threerc.testbed.events import Event, Kind

_DEATHS: Final = ("power off", "its process 1 died")


def split(
    events: Sequence[Event], vm: str, at: float, down_after: float, healed: float | None = None
) -> Crash:
    """The recovery of a VM that was crashed at `at`; `down_after` seconds without a heartbeat
    are its death to the monitor. `healed` is when its fault was, where nothing else helps.

    It is over when the VM's services are up and no controller acts on it any more. The parts add
    up to the whole, also where something was never seen: then it took no time.
    """
    own = [event for event in events if event.of == vm and event.time >= at]
    booted = _last([*_times(own, Kind.BOOTED), *([] if healed is None else [healed])])
    if booted is None:
        return Crash(vm, at)
    actions = [event for event in own if _is_action(event) and event.time < booted]
    first, helped = (actions[0].time, actions[-1].time) if actions else (at, at)
    started = _first(_times(own, Kind.STARTED), helped, booted) or helped
    installed = _last(t for t in _times(own, Kind.INSTALLED) if started <= t <= booted)
    marks = [
        at,
        min(max(at, _known(events, vm, at) + down_after), first),
        first,
        helped,
        started,
        installed or started,
        booted,
    ]
    parts = [later - sooner for sooner, later in pairwise(marks)]
    return Crash(vm, at, booted - at, *parts)


def measured(events: Iterable[Event]) -> tuple[list[float], list[float]]:
    """How many seconds boots and installations took: the times of all that were seen whole."""
    boots: list[float] = []
    installs: list[float] = []
    begun: dict[str, float] = {}
    for event in events:
        if event.kind is Kind.STARTED:
            begun[event.of] = event.time
        elif event.kind is Kind.INSTALLED and event.of in begun:
            installs.append(event.time - begun[event.of])
            begun[event.of] = event.time
        elif event.kind is Kind.BOOTED and event.of in begun:
            boots.append(event.time - begun.pop(event.of))
    return boots, installs


def _known(events: Iterable[Event], vm: str, at: float) -> float:
    """When the monitor last heard of a VM before the crash."""
    beats = [e for e in events if e.of == vm and e.kind is Kind.HEARTBEAT]
    return max(
        (float(beat.detail["last"]) for beat in beats if beat.detail["last"] <= at), default=at
    )


def _is_action(event: Event) -> bool:
    return event.kind is Kind.DECISION and event.detail.get("what") == "action"


def _times(events: Iterable[Event], kind: Kind) -> list[float]:
    return [event.time for event in events if event.kind is kind]


def _first(times: Iterable[float], begin: float, end: float) -> float | None:
    return min((each for each in times if begin <= each <= end), default=None)


def _last(times: Iterable[float]) -> float | None:
    return max(times, default=None)


def decision(event: dict[str, Any]) -> Event:
    """A controller's event, as one of the testbed's."""
    detail = {key: value for key, value in event.items() if key not in {"time", "vm", "kind"}}
    return Event(
        float(event["time"]), Kind.DECISION, event.get("vm", "*"), detail | {"what": event["kind"]}
    )


def most_copies(
    events: Sequence[Event], vm: str, before: Iterable[str], after: Iterable[str]
) -> int:
    """How many copies of a VM there were at most at one moment.

    It ran on the hosts `before`, and runs on those `after` it.
    A copy ends when libvirt says so, or with its host's power or process 1; on a host that is
    frozen none goes on. One that is not there afterwards, and whose end nobody has seen since
    libvirtd was dead, may have ended at any time, and does not count.
    """
    unseen = last_copies(events, vm, before) - set(after)
    return max(len(running - frozen - unseen) for running, frozen in _copies(events, vm, before))


def last_copies(events: Iterable[Event], vm: str, before: Iterable[str]) -> set[str]:
    """The hosts on which a VM ran in the end, as far as that was seen."""
    *_, (last, _) = _copies(events, vm, before)
    return last


def _copies(
    events: Iterable[Event], vm: str, before: Iterable[str]
) -> Iterator[tuple[set[str], set[str]]]:
    """The hosts on which a VM seems to run, and those that are frozen, after each event."""
    running, frozen = set(before), set[str]()
    yield set(running), set(frozen)
    for event in events:
        what, host = event.detail.get("what"), str(event.detail.get("host", ""))
        if event.of == vm and event.kind is Kind.STARTED:
            running.add(host)
        elif event.of == vm and event.kind is Kind.STOPPED:
            running.discard(host)
        elif what in _DEATHS:
            running.discard(event.of)
            frozen.discard(event.of)
        elif what == "frozen":
            frozen.add(event.of)
        elif what == "thawed":
            frozen.discard(event.of)
        yield set(running), set(frozen)
