"""A scenario of the simulator, played for real: the same faults at the same times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from threerc.runtime.simulation.scenario import CommandEntry, FaultEntry, Scenario
from threerc.runtime.simulation.times import after, moment
from threerc.testbed import crashes
from threerc.testbed.errors import TestbedError
from threerc.testbed.faults import Fault
from threerc.testbed.grip import Grip
from threerc.testbed.stories import Story, real

_PERIOD: Final = 120.0
"""Seconds of the controllers' even and odd minutes: the real start is at the same point in it."""
Say = Callable[[str], None]
Do = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Act:
    """What is done so many seconds after the start."""

    at: float
    what: str
    do: Do


def play(grip: Grip, scenario: Scenario, say: Say) -> dict[str, Story]:
    """Play a scenario, heal what is left of it, and tell what happened to each machine.

    Raises TestbedError before anything is done where the testbed cannot do it.
    """
    first = moment(scenario.start, scenario.zone)
    acts = sorted(_acts(grip, scenario, first), key=lambda act: act.at)
    vms = {vm: grip.where(vm) for vm in grip.config.virtual_machines}
    begin = _aligned(first, time.time())
    say(f"begins in {begin - time.time():.0f} s, at the same point of the controllers' schedule")
    _sleep_until(begin)
    try:
        for act in acts:
            _sleep_until(begin + act.at)
            say(f"+{act.at:.0f} s {act.what}")
            act.do()
        _sleep_until(begin + scenario.duration)
    finally:
        _heal_all(grip, scenario, say)
    return real(grip.events(), vms, begin, begin + scenario.duration)


def _aligned(first: float, now: float) -> float:
    """The next moment at the same point of the controllers' period as the scenario's start."""
    return now + (first - now) % _PERIOD


def _sleep_until(when: float) -> None:
    left = when - time.time()
    if left > 0:
        time.sleep(left)


def _acts(grip: Grip, scenario: Scenario, first: float) -> Iterator[_Act]:
    def seconds(text: str) -> float:
        return after(first, text, scenario.zone) - first

    for entry in scenario.faults:
        for fault, target in _struck(grip, entry):
            options = {key: value for key, value in entry.options().items() if key in fault.options}
            foreign = entry.options().keys() - options.keys()
            if foreign:
                raise TestbedError(f"{fault.name}: `{min(foreign)}` cannot be had for real")
            name = f"{target or 'the site'}: {fault.name}"
            yield _Act(seconds(entry.at), name, partial(_begin, grip, fault, target, options))
            if entry.until is not None:
                heal = partial(crashes.heal, grip, fault, target, options)
                yield _Act(seconds(entry.until), f"{name} is over", heal)
    for command in scenario.operator:
        for target in command.of or ("",):
            do = _command(grip, command, target)
            yield _Act(seconds(command.at), f"operator: {command.do} {target}".rstrip(), do)


def _begin(grip: Grip, fault: Fault, target: str, options: dict[str, Any]) -> None:
    crashes.begin(grip, fault, target, options)


def _struck(grip: Grip, entry: FaultEntry) -> Iterator[tuple[Fault, str]]:
    """The fault of an entry, for each that it strikes."""
    if entry.of:
        for name in entry.of:
            yield crashes.find_fault(grip, name, entry.fault), name
    else:
        yield crashes.find_fault(grip, "", entry.fault), ""


def _heal_all(grip: Grip, scenario: Scenario, say: Say) -> None:
    """Leave the site as it was: also where the scenario was interrupted, or says nothing of it."""
    for entry in scenario.faults:
        for fault, target in _struck(grip, entry):
            try:
                crashes.heal(grip, fault, target, {})
            except TestbedError as error:
                say(f"{target or 'the site'}: {fault.name} is not healed: {error}")


def _command(grip: Grip, entry: CommandEntry, target: str) -> Do:
    """What an operator's command is for real. Raises TestbedError where it is nothing."""
    commands: dict[str, Do] = {
        "pause": lambda: _tell(grip, "pause", target, "--why", entry.why),
        "resume": lambda: _tell(grip, "resume", target),
        "maintenance": lambda: _tell(
            grip, "maintenance", target, *(["--drain"] if entry.drain else [])
        ),
        "end-maintenance": lambda: _tell(grip, "maintenance", target, "--end"),
        "release": lambda: _tell(grip, "release"),
        "installed": lambda: _tell(grip, "installed", target),
        "start": lambda: _start(grip, str(entry.on), target),
        "stop": lambda: grip.destroy(grip.where(target), target),
        "boot-link": lambda: grip.boot_link(target, str(entry.to)),
        "power-on": lambda: grip.power(target, on=True),
    }
    if entry.do not in commands:
        raise TestbedError(f"operator: `{entry.do}` cannot be had for real")
    return commands[entry.do]


def _tell(grip: Grip, *words: str) -> None:
    grip.threerc(*(word for word in words if word))


def _start(grip: Grip, host: str, vm: str) -> None:
    grip.errand("start", host, vm)
