"""A fault that takes no machine away, from before it until all is right again.

It strikes until the controllers have reacted or could have, is healed, and then everything is
looked at: what was struck, all daemons, all machines; and what was done to machines meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from threerc.runtime.observation import TMAX
from threerc.testbed import crashes
from threerc.testbed.checks import complaints, shows_after, unreached
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import SWITCH, Fault, Options
from threerc.testbed.grip import Grip
from threerc.testbed.splitting import most_copies

_POLL: Final = 1.0
_TELL_SECONDS: Final = 10.0
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Outlived:
    """What came of a fault. Times in seconds since the epoch; `right` is when all was well again.

    `seen` is what of the service was wrong while it lasted, `said` what the controllers noted
    meanwhile, `wrong` a sentence for each check that did not hold afterwards.
    """

    fault: str
    target: str
    began: float
    healed: float
    right: float | None
    seen: tuple[str, ...]
    said: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether all is right again, and no machine was touched that was none of the fault's."""
        return not self.wrong


@dataclass
class Outliving:
    """One such fault."""

    grip: Grip
    target: str
    fault: Fault
    options: Options = field(default_factory=dict)
    profile: str = "thesis"

    def run(self, say: Callable[[str], None]) -> Outlived:
        """All of it. Raises TestbedError where the fault cannot be done, or not be healed."""
        grip, name = self.grip, f"{self.target or 'the site'}: {self.fault.name}"
        before = self._copies()
        alive = {vm for vm in before if is_up(grip, vm)}
        began = crashes.begin(grip, self.fault, self.target, self.options)
        try:
            say(name)
            seen = self._looked_at(began)
            explained = self._explained(before)
            self._await_reaction(began, say)
            seen = seen or self._looked_at(began)
            for each in seen[:_FEW]:
                say(f"{name}: {each}")
            if seen[_FEW:]:
                say(f"{name}: and {len(seen) - _FEW} more of that kind")
        finally:
            healed = crashes.heal(grip, self.fault, self.target, self.options)
        say(f"{name} is healed after {healed - began:.0f} s")
        left = self._await_right(healed, say)
        right = None if left else time.time()
        events = [event for event in grip.events() if event.time >= began]
        said = tuple(dict.fromkeys(_said(events, healed)))
        amiss = (*left, *touched(events, before, self._copies(), alive - explained))
        return Outlived(self.fault.name, self.target, began, healed, right, seen, said, amiss)

    def _copies(self) -> dict[str, tuple[str, ...]]:
        running = self.grip.running()
        return {
            vm: tuple(host for host, names in running.items() if vm in names)
            for vm in self.grip.config.virtual_machines
        }

    @property
    def _shows_after(self) -> float:
        return shows_after(self.fault.name, crashes.PERIODS[self.profile])

    def _looked_at(self, began: float) -> tuple[str, ...]:
        """What of the service is wrong by now; a check may itself need what is struck."""
        if time.time() < began + self._shows_after:
            return ()
        try:
            return complaints(self.grip, self.fault.name, self.target, began)
        except TestbedError as error:
            return (f"cannot be asked: {error}",)

    def _explained(self, before: Mapping[str, tuple[str, ...]]) -> set[str]:
        """The machines that controllers may rightly take for dead, or out of reach, meanwhile."""
        if self.grip.config.monitors.probe == "none" and self.options.get("silent"):
            return {*self.options["silent"]} & before.keys()
        if self.fault.name == SWITCH or self.fault.takes_machines:
            away = {*self.target.split()}
            with suppress(TestbedError):  # where no controller is left, nobody takes any for dead
                away |= {*unreached(self.grip)}
            return {vm for vm, hosts in before.items() if away & {*hosts}}
        return set()

    def _await_reaction(self, began: float, say: Callable[[str], None]) -> None:
        """Until a controller has acted, or all have looked and what is silent counts as dead."""
        silent = self.grip.config.monitors.down_after * TMAX
        seconds = max(crashes.PERIODS[self.profile] + silent, self._shows_after)
        say(f"is healed in {seconds:.0f} s, or when a controller acts")
        end = time.time() + seconds
        while time.time() < end:
            events = self._events()
            for vm in self.grip.config.virtual_machines:
                for event in crashes.actions(events, vm, began):
                    say(f"{vm}: {event.detail['step']} on {event.detail['to']}")
                    return
            time.sleep(_POLL)

    def _events(self) -> list[Event]:
        """All so far; none where no controller is left that could have done anything."""
        try:
            return self.grip.events()
        except TestbedError:
            return []

    def _await_right(self, healed: float, say: Callable[[str], None]) -> tuple[str, ...]:
        """What is still not right when its time is over."""
        return await_none(lambda: (*self._amiss(healed), *wrong(self.grip)), say)

    def _amiss(self, healed: float) -> tuple[str, ...]:
        try:
            return complaints(self.grip, self.fault.name, self.target, healed)
        except TestbedError as error:  # no controller can say so yet
            return (str(error),)


def await_none(left: Callable[[], tuple[str, ...]], say: Callable[[str], None]) -> tuple[str, ...]:
    """Wait until nothing is left, and tell now and then what is; that, when its time is over."""
    told = time.time()
    end = told + crashes.UP_SECONDS
    while found := left():
        now = time.time()
        if now > end:
            return found
        if now > told + _TELL_SECONDS:
            told = now
            more = f", and {len(found) - 1} more" if found[1:] else ""
            say(f"waits for all to be right: {found[0]}{more}")
        time.sleep(_POLL)
    return ()


def touched(
    events: Sequence[Event],
    before: Mapping[str, Sequence[str]],
    after: Mapping[str, Sequence[str]],
    alive: Container[str],
) -> Iterator[str]:
    """Machines of which there were two, and living ones that a controller acted on. Pure.

    `before` and `after` such events, each ran on these hosts.
    """
    for vm, hosts in before.items():
        most = most_copies(events, vm, hosts, after[vm])
        if most > 1:
            yield f"{vm}: there were {most} copies of it at once"
        first = next(crashes.actions(events, vm, 0.0), None)
        if vm in alive and first is not None:
            yield f"{vm} was alive, and got {first.detail['step']}"


def _said(events: Iterable[Event], healed: float) -> Iterator[str]:
    """What controllers noted meanwhile, of the site and of machines."""
    for event in events:
        if event.kind is Kind.DECISION and event.time <= healed:
            whose = "" if event.of == "*" else f"{event.of}: "
            step = event.detail.get("step")
            yield f"{whose}{f'{step}: ' if step else ''}{event.detail.get('reason', '')}"


def wrong(grip: Grip) -> Iterator[str]:
    """What is not as it is on a good day: a daemon or machine that does not run, or twice."""
    for capsule in grip.testbed.status()["capsules"]:
        yield from _dead(capsule)
    running = [vm for vms in grip.running().values() for vm in vms]
    for vm in grip.config.virtual_machines:
        if running.count(vm) != 1:
            yield f"{vm}: {running.count(vm)} copies of it run"
        elif not is_up(grip, vm):
            yield f"{vm}: it is not up"


def wrong_of(grip: Grip, host: str) -> tuple[str, ...]:
    """What of it is a host's own."""
    capsules = grip.testbed.status()["capsules"]
    return tuple(line for each in capsules if each["name"] == host for line in _dead(each))


def _dead(capsule: Mapping[str, Any]) -> Iterator[str]:
    dead = [each["name"] for each in capsule["daemons"] if not each["running"]]
    for name in ["power"] if capsule["power"] == "off" else dead:
        yield f"{capsule['name']}: no {name}"


def is_up(grip: Grip, vm: str) -> bool:
    """Whether the controllers say that a machine is up; where none can say so: no."""
    try:
        return grip.is_up(vm)
    except TestbedError:
        return False


def as_json(outlived: Outlived) -> dict[str, Any]:
    """It as an object of JSON."""
    names = ("fault", "target", "began", "healed", "right", "seen", "said", "wrong")
    return {"good": outlived.good} | {name: getattr(outlived, name) for name in names}


def as_lines(outlived: Outlived) -> Iterator[str]:
    """It for people: what was seen and said, and how it ended."""
    name = f"{outlived.target or 'the site'}: {outlived.fault}"
    yield from (f"  controllers: {line}" for line in outlived.said)
    if not outlived.seen:
        yield f"{name}: nothing of it was seen while it lasted"
    if outlived.right is not None:
        lasted, after = outlived.healed - outlived.began, outlived.right - outlived.healed
        yield f"{name}: healed after {lasted:.0f} s, all is right {after:.0f} s later"
    yield from (f"WRONG: {each}" for each in outlived.wrong)
