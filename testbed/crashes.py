"""One crash for real: done, waited for, healed and judged."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from threerc.runtime.config import VirtualMachine
from threerc.runtime.observation import TMAX
from threerc.testbed import events as writing
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import (
    CONTROLLER,
    FAULTS,
    HOST,
    SITE,
    SWITCH,
    VM,
    Fault,
    HalfBegun,
    Options,
)
from threerc.testbed.grip import Grip
from threerc.testbed.judging import Facts, Wanted, judge
from threerc.testbed.splitting import most_copies, split
from threerc.testbed.trials import Trial

PERIODS: Final = {"thesis": 120.0, "fast": 10.0}
"""Seconds in which the controllers go once through their schedule, by profile."""
_POLL: Final = 1.0
_HEARD_SECONDS: Final = 90.0
UP_SECONDS: Final = 300.0
_SLACK: Final = 300.0
"""Seconds of a bound for what no policy says: detection, schedules, boots on a busy machine."""
_ACTION_SECONDS: Final = 120.0
"""Of controllers that know that a machine is dead and can do something about it."""
_INSTALL_LOG: Final = "/var/log/3rc-install.log"
_IS: Final = re.compile(r"this host is (\S+) with (\S+)$", re.MULTILINE)
_RAN: Final = re.compile(r" running \S*/(\S+)$", re.MULTILINE)
_LOG_LINES: Final = 200
Say = Callable[[str], None]
Undo = Callable[[], float]
"""Heals a fault; when that was."""


def kinds(grip: Grip, name: str) -> tuple[str, ...]:
    """What a name can be for a fault: a host may be a controller too, and no name is the site."""
    config = grip.config
    if not name:
        return (SITE,)
    found = [VM] if name in config.virtual_machines else []
    found += [HOST] if name in grip.daemons else []
    found += [CONTROLLER] if name in config.controllers else []
    return tuple(found)


def find_fault(grip: Grip, target: str, name: str) -> Fault:
    """The fault of that name for that target. Raises TestbedError, which lists those there are."""
    if name == SWITCH:
        if target:
            return FAULTS[SWITCH, SITE]  # the lab knows whether there is such a switch
        known = sorted({each["switch"] for each in grip.testbed.status()["bridges"]})
        raise TestbedError(f"{SWITCH} strikes one of the switches: {', '.join(known)}")
    possible = kinds(grip, target)
    for kind in possible:
        if (name, kind) in FAULTS:
            return FAULTS[name, kind]
    if not possible:
        raise TestbedError(f"the testbed has no {target}")
    there = ", ".join(sorted({each for each, of in FAULTS if of in possible}))
    raise TestbedError(f"{name} cannot happen to {target or 'the site'}; there are {there}")


def begin(grip: Grip, fault: Fault, target: str, options: Options) -> float:
    """Let it happen; when that was. Raises TestbedError.

    What cannot be done is no event, and what of it was done is undone: an event only where that
    fails, so that it can be healed later.
    """
    _must_know(fault, options)
    at = time.time()
    event = Event(at, Kind.FAULT, target or "*", {"fault": fault.name, **options})
    try:
        fault.begin(grip, target, options)
    except BaseException as error:
        if _is_partly_done(grip, fault, at, error):
            _undo(grip, fault, event, options)
        raise
    writing.append(grip.events_file, event)
    return at


def _must_know(fault: Fault, options: Options) -> None:
    """Raise TestbedError where a fault has no such key or mode."""
    for key in sorted(options.keys() - set(fault.options)):
        known = ", ".join(fault.options) or "none"
        raise TestbedError(f"{fault.name} has no key {key} (there are: {known})")
    if "mode" in options and options["mode"] not in fault.modes:
        known = ", ".join(fault.modes)
        raise TestbedError(f"{fault.name} has no mode {options['mode']}, only {known}")


def _is_partly_done(grip: Grip, fault: Fault, at: float, error: BaseException) -> bool:
    """Whether anything may have been done: the lab notes what it does to hosts and switches."""
    if not isinstance(error, TestbedError) or isinstance(error, HalfBegun):
        return True
    done = (event.kind is Kind.FAULT and event.time >= at for event in grip.own_events())
    return fault.of == VM or any(done)


def _undo(grip: Grip, fault: Fault, event: Event, options: Options) -> None:
    try:
        fault.heal(grip, "" if event.of == "*" else event.of, options)
    except BaseException as error:
        writing.append(grip.events_file, event)
        if not isinstance(error, TestbedError):
            raise


def heal(grip: Grip, fault: Fault, target: str, options: Options) -> float:
    """Undo what is left of it; when that was."""
    fault.heal(grip, target, options)
    at = time.time()
    writing.append(grip.events_file, Event(at, Kind.HEAL, target or "*", {"fault": fault.name}))
    return at


def bound(grip: Grip, vm: str) -> float:
    """Seconds within which the site's own policy has to have a virtual machine back."""
    policy = grip.config.policy(grip.config.virtual_machines[vm])
    steps, waits = policy.steps, policy.waits
    ladder = steps.reboot * waits.reboot + (steps.restart + steps.snapshot) * waits.restart
    ladder += steps.reinstall * waits.reinstall
    return ladder + grip.config.monitors.down_after * TMAX + _SLACK


class Interrupted(TestbedError):
    """A crash was not waited for to its end."""


class NotStruck(TestbedError):
    """A crash could not be done: nothing has happened."""


@dataclass
class Crash:
    """One crash of a virtual machine, from before it until it is judged.

    `stop` may be set meanwhile: then it is healed, and not judged.
    """

    grip: Grip
    vm: str
    fault: Fault
    options: dict[str, Any] = field(default_factory=dict)
    profile: str = "thesis"
    stop: threading.Event = field(default_factory=threading.Event)
    healed: float | None = None
    """When it was healed so that it could recover at all."""
    why: str = ""
    """Why it had to be."""

    def judged(
        self, number: int, at: float, before: str, within: float, *, recovered: bool
    ) -> Trial:
        """What came of a crash at `at` of a machine that ran on `before`."""
        grip, vm = self.grip, self.vm
        seen = grip.events()
        crash = split(seen, vm, at, grip.config.monitors.down_after * TMAX, self.healed)
        done = list(actions(seen, vm, at))
        untouched = None if self.healed is None or done else self.healed - at
        if not recovered or untouched is not None:
            crash.total = None  # what the testbed itself has mended is no recovery
        step = str(done[-1].detail["step"]) if done else ""
        reacted = done[0].time - at if done else None
        installed = is_installed(seen, vm, at)
        facts = self._facts(seen, at, before, installed=installed)
        facts = replace(facts, untouched=untouched, why=self.why)
        wrong = judge(facts, self._wanted(within, installed=installed), crash.total)
        good = crash.total is not None and not wrong
        return Trial(
            number=number,
            fault=self.fault.name,
            profile=self.profile,
            crash=crash,
            step=step,
            before=before,
            after=", ".join(facts.copies),
            reacted=reacted,
            wrong=wrong,
            story=() if good else tuple(_story(seen, vm, at)),
            logs={} if good else self._logs(),
        )

    def await_up(self) -> None:
        """Wait until the machine is up: nobody learns anything from the crash of one that is not.

        Raises TestbedError, Interrupted.
        """
        end = time.time() + UP_SECONDS
        while not self.grip.is_up(self.vm):
            if time.time() > end:
                raise TestbedError(f"{self.vm} is not up before its crash")
            if self.stop.wait(_POLL):
                raise Interrupted(f"{self.vm}: interrupted")

    def note_heartbeat(self) -> None:
        """Write down when it was last heard: its silence is counted from there."""
        now = time.time()
        heard = [hosts[self.vm] for hosts in self.grip.heard().values() if self.vm in hosts]
        if heard:
            last = {"last": now - min(heard)}
            writing.append(self.grip.events_file, Event(now, Kind.HEARTBEAT, self.vm, last))

    def await_recovery(self, at: float, within: float, say: Say, undo: Undo) -> bool:
        """Wait until its services are up and the controllers have seen that; False: in vain.

        What no controller can help against is undone meanwhile. Raises Interrupted.
        """
        told: set[str] = set()
        while time.time() < at + within:
            seen = [e for e in self.grip.events() if e.of == self.vm and e.time >= at]
            done = list(actions(seen, self.vm, at))
            for event in done:
                line = f"{self.vm}: {event.detail['step']} on {event.detail['to']}"
                if line not in told:
                    told.add(line)
                    say(f"{line}, {event.time - at:.0f} s after the crash")
            if self.healed is None and self._needs_healing(at, done):
                self.why = self._idle_because()
                self.healed = undo()
                say(f"{self.vm}: {self.fault.name} is undone, since {self.why}")
            if _is_over(seen) or (self.healed and self.grip.is_up(self.vm)):
                say(f"{self.vm}: recovered within {time.time() - at:.0f} s")
                return True
            if self.stop.wait(_POLL):
                raise Interrupted(f"{self.vm}: interrupted")
        say(f"{self.vm}: not recovered after {within:.0f} s")
        return False

    def _needs_healing(self, at: float, done: Sequence[Event]) -> bool:
        """Whether controllers have done what they can: a step, or no more within their time."""
        if done and self.fault.lasting:
            return True
        since = at
        if done:
            waits = self.grip.config.policy(self.grip.config.virtual_machines[self.vm]).waits
            since = done[-1].time + max(waits.reboot, waits.restart)
        noticed = self.grip.config.monitors.down_after * TMAX + _ACTION_SECONDS
        return (self.fault.lasting or self.fault.of == HOST) and time.time() > since + noticed

    def _idle_because(self) -> str:
        """Why nothing is done for it, in the controllers' words."""
        if self.fault.lasting:
            return "nothing else helps"
        try:
            why = self.grip.status()["virtual_machines"][self.vm]["why"]
        except TestbedError as error:
            why = f"none can be asked: {error}"
        return f"controllers do no more: {why or 'they do not say why'}"

    def _facts(self, seen: Sequence[Event], at: float, before: str, *, installed: bool) -> Facts:
        grip, vm = self.grip, self.vm
        settings = grip.config.virtual_machines[vm]
        since = [event for event in seen if event.time >= at]
        hinfo, middleware = self._installed() if installed else ("", ())
        copies = grip.copies(vm)
        return Facts(
            copies=copies,
            most=most_copies(since, vm, [before], copies),
            record=str(grip.status()["virtual_machines"][vm]["host"]),
            allowed=tuple(grip.config.allowed_hosts(settings)),
            ganglia=self._heard_again(),
            link=grip.link(vm),
            declared=settings.boot.declared if settings.boot else "",
            hinfo=hinfo,
            middleware=middleware,
        )

    def _heard_again(self) -> dict[str, bool]:
        """Whether each collector hears it: it is given the time of some heartbeats.

        Nothing is asked of a collector on a host that a fault has hold of. Raises Interrupted.
        """
        end = time.time() + _HEARD_SECONDS
        struck = self.grip.struck()
        while True:
            heard = {
                collector: hosts.get(self.vm, TMAX) < TMAX
                for collector, hosts in self.grip.heard().items()
                if collector not in struck
            }
            if all(heard.values()) or time.time() > end:
                return heard
            if self.stop.wait(_POLL):
                raise Interrupted(f"{self.vm}: interrupted")

    def _installed(self) -> tuple[str, tuple[str, ...]]:
        """The HINFO that it has read, and the scripts that it has run."""
        log = self.grip.read_guest(self.vm, _INSTALL_LOG)
        found = _IS.search(log)
        return " ".join(found.groups()) if found else "", tuple(_RAN.findall(log))

    def _wanted(self, within: float, *, installed: bool) -> Wanted:
        settings = self.grip.config.virtual_machines[self.vm]
        if not installed or settings.middleware is None:
            return Wanted(within)
        hinfo = f"{settings.os} {settings.middleware}"
        return Wanted(within, hinfo, self._scripts(settings))

    def _scripts(self, settings: VirtualMachine) -> tuple[str, ...]:
        """What its middleware is made of, as the install server says."""
        tree = self.grip.testbed.run.folder / "tree"
        name = f"{settings.middleware}.list"
        found = next(tree.glob(f"*/**/middleware/{name}"), None)
        if found is None:
            raise TestbedError(f"no install server has a middleware/{name}")
        lines = found.read_text(encoding="utf-8").split()
        return tuple(line.rpartition("/")[2] for line in lines)

    def _logs(self) -> dict[str, str]:
        """The ends of the logs that tell why."""
        logs = self.grip.testbed.run.logs
        wanted = [logs / f"{self.vm}.console.log", *sorted(logs.glob("*/libvirtd.log"))]
        return {"the controllers": "\n".join(self.grip.log()[-_LOG_LINES:])} | {
            str(path.relative_to(logs)): "\n".join(
                path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            )
            for path in wanted
            if path.exists()
        }


def await_hosts(grip: Grip, stop: threading.Event) -> None:
    """Wait until the controllers hear all physical hosts that are on.

    On no other would they start a machine. Raises TestbedError, Interrupted.
    """
    end = time.time() + UP_SECONDS
    while silent := [
        host
        for host, each in grip.status()["physical_hosts"].items()
        if not each["up"] and grip.is_on(host)
    ]:
        if time.time() > end:
            raise TestbedError(f"the controllers do not hear {', '.join(silent)}")
        if stop.wait(_POLL):
            raise Interrupted(f"{', '.join(silent)}: interrupted")


def actions(seen: Sequence[Event], vm: str, at: float) -> Iterator[Event]:
    """What controllers have done to a virtual machine since then."""
    return (
        event
        for event in seen
        if event.of == vm
        and event.time >= at
        and event.kind is Kind.DECISION
        and event.detail.get("what") == "action"
    )


def is_installed(seen: Iterable[Event], vm: str, at: float) -> bool:
    """Whether it was installed anew since then, whatever was done to it afterwards."""
    return any(e.kind is Kind.INSTALLED and e.of == vm and e.time >= at for e in seen)


def _is_over(seen: Sequence[Event]) -> bool:
    """Whether it serves since it was started last, and the controllers have seen that.

    They may have heard it before the last of its services was up.
    """
    started = max((e.time for e in seen if e.kind is Kind.STARTED), default=0.0)
    after = [event for event in seen if event.time >= started]
    return any(event.kind is Kind.BOOTED for event in after) and any(
        event.kind is Kind.DECISION and event.detail.get("what") == "recovered" for event in after
    )


def _story(seen: Sequence[Event], vm: str, at: float) -> Iterator[str]:
    for event in seen:
        if event.time >= at and event.of in {vm, "*"}:
            detail = json.dumps(dict(event.detail), sort_keys=True)
            yield f"{event.time - at:+8.1f} s {event.kind.value:<10} {detail}"
