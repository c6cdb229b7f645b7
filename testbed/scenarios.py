"""A scenario of the simulator, played for real: the same faults at the same times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import fmean, pstdev
from typing import Any, Final

from threerc.runtime.observation import TMAX
from threerc.runtime.simulation.invariants import BY_POLICY, TWO_COPIES
from threerc.runtime.simulation.load import strangers
from threerc.runtime.simulation.run import run
from threerc.runtime.simulation.scenario import (
    CommandEntry,
    ControllerEntry,
    FaultEntry,
    Scenario,
)
from threerc.runtime.simulation.times import after, moment
from threerc.runtime.simulation.timing import Timing
from threerc.testbed import crashes, spans, stories
from threerc.testbed.daemons.controller import EVERY
from threerc.testbed.errors import TestbedError
from threerc.testbed.faults import FAULTS, SITE, Fault
from threerc.testbed.grip import Grip
from threerc.testbed.overlay import FAST_HEARTBEAT
from threerc.testbed.played import Played
from threerc.testbed.prepare import read_wanted
from threerc.testbed.site import RunningSite
from threerc.testbed.splitting import measured, most_copies
from threerc.testbed.stories import Story, real, unmet

_PERIOD: Final = 120.0
"""Seconds of the controllers' even and odd minutes: the real start is at the same point in it."""
UNREAL: Final = {
    "controllers": "they begin here as the site has them, and all have the machine's own clock",
    "state": "what controllers remember here is what has happened here",
    "off": "all machines here have run before",
    "loads": "all hosts here have the machine's own load",
    "locks": "whether a disk can be opened twice is up to the disk here",
}
"""What a scenario can say of a site and cannot be had for real, and why."""
Say = Callable[[str], None]
Do = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Act:
    """What is done so many seconds after the start."""

    at: float
    what: str
    do: Do


def play(grip: Grip, scenario: Scenario, say: Say) -> Played:
    """Foretell a scenario and play it, heal what is left of it, and tell what happened.

    It begins once all machines and physical hosts are up; as in a scenario, none has ever failed.
    Raises TestbedError before anything is done where the testbed cannot do it.
    """
    first = moment(scenario.start, scenario.zone)
    acts = _possible(grip, scenario, first)
    say("waits until all hosts and machines are up")
    RunningSite(grip.testbed, say).wait_up()
    vms = {vm: grip.where(vm) for vm in grip.config.virtual_machines}
    simulated = foretell(grip, scenario, vms)
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
    stories, faults = _seen(grip, vms, begin, begin + scenario.duration)
    wrong = unmet(scenario.expect, stories)
    return Played(simulated, stories, faults, scenario.duration, tuple(wrong))


def _possible(grip: Grip, scenario: Scenario, first: float) -> list[_Act]:
    """What is to be done, in order. Raises TestbedError where a part of it cannot be."""
    wrong = [f"{key}: {why}" for key, why in UNREAL.items() if getattr(scenario, key)]
    wrong += [f"{loc[0]}: {what}" for loc, what in strangers(scenario, grip.config)]
    unseen = {*scenario.expect.violations} - {TWO_COPIES, BY_POLICY}
    wrong += [f"expect: nobody here would see `{kind}`" for kind in sorted(unseen)]
    if wrong:
        raise TestbedError("\n".join(wrong))
    acts = sorted(_acts(grip, scenario, first), key=lambda act: act.at)
    return [act for act in acts if act.at <= scenario.duration]


def _seen(
    grip: Grip, vms: dict[str, str], begin: float, end: float
) -> tuple[dict[str, Story], tuple[spans.Span, ...]]:
    """Each machine's story, and the faults that were none of a machine's."""
    seen, running = grip.events(), grip.running()
    told = [event for event in seen if begin <= event.time <= end]
    found = real(told, vms, begin, end)
    for vm, story in found.items():
        after = [host for host, machines in running.items() if vm in machines]
        story.copies = most_copies(told, vm, [vms[vm]], after)
    struck = spans.struck([event for event in seen if event.time < end], vms, begin)
    faults = (
        spans.Span(each.label, max(0.0, each.begin - begin), each.end - begin)
        for each in spans.spans(struck, end)
    )
    return found, tuple(faults)


def foretell(grip: Grip, scenario: Scenario, vms: dict[str, str]) -> dict[str, Story]:
    """What the simulator makes of it, on the site as it is here; `vms` has where each machine is.

    Of times that the scenario does not give, those are taken that were seen.
    """
    boots, installs = measured(grip.events())
    is_fast = read_wanted(grip.testbed.run.folder).profile == "fast"
    seen: dict[str, float] = {"pxe": 0.0, "heartbeat": FAST_HEARTBEAT if is_fast else TMAX}
    if boots:
        seen |= {"boot": fmean(boots), "boot_sigma": pstdev(boots)}
    if installs:
        seen |= {"install": fmean(installs), "install_sigma": pstdev(installs)}
    given = scenario.timing.model_dump(exclude_unset=True)
    daemon = ControllerEntry(every=EVERY)
    daemons = dict.fromkeys(grip.config.controllers, daemon) if is_fast else {}
    here = scenario.model_copy(
        update={
            "timing": Timing(**{**seen, **given}),
            "controllers": daemons,
            "state": {vm: f"{host} 1970-01-01/00:00:00 0" for vm, host in vms.items()},
        }
    )
    return stories.simulated(run(here, grip.config, install_server=True))


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
            options = _options(fault, entry)
            if entry.until is not None and "seconds" in fault.options:
                options["seconds"] = seconds(entry.until) - seconds(entry.at)
            name = f"{target or 'the site'}: {fault.name}"
            yield _Act(
                seconds(entry.at), name, partial(crashes.begin, grip, fault, target, options)
            )
            if entry.until is not None:
                heal = partial(crashes.heal, grip, fault, target, options)
                yield _Act(seconds(entry.until), f"{name} is over", heal)
    for command in scenario.operator:
        for target in command.of or ("",):
            do = _command(grip, command, target)
            yield _Act(seconds(command.at), f"operator: {command.do} {target}".rstrip(), do)


def _options(fault: Fault, entry: FaultEntry) -> dict[str, Any]:
    given = entry.options()
    foreign = given.keys() - set(fault.options)
    if foreign:
        raise TestbedError(f"{fault.name}: `{min(foreign)}` cannot be had for real")
    if fault.modes and given.get("mode", fault.modes[0]) not in fault.modes:
        raise TestbedError(f"{fault.name} cannot be {given['mode']} for real")
    return given


def _struck(grip: Grip, entry: FaultEntry) -> Iterator[tuple[Fault, str]]:
    """The fault of an entry, and whom it strikes; one of the whole site strikes all at once."""
    if (entry.fault, SITE) in FAULTS:
        yield FAULTS[entry.fault, SITE], " ".join(entry.of)
    elif entry.of:
        for name in entry.of:
            yield crashes.find_fault(grip, name, entry.fault), name
    else:
        yield crashes.find_fault(grip, "", entry.fault), ""


def _heal_all(grip: Grip, scenario: Scenario, say: Say) -> None:
    """Leave the site as it was: also where the scenario was interrupted, or says nothing of it."""
    left = grip.faults()
    for entry in scenario.faults:
        for fault, target in _struck(grip, entry):
            if (target or "*", fault.name) not in left:
                continue
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
