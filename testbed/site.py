"""A running site in the hands of a test: break it, wait for its controllers, look.

site.vm("gridce").crash("erase-boot")
site.host("alfa01").power_off()
site.wait_recovered("gridce", within=900)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from threerc.testbed import crashes
from threerc.testbed.client import Answer, Testbed
from threerc.testbed.crashes import Crash, Interrupted, NotStruck, Say, await_hosts, find_fault
from threerc.testbed.errors import TestbedError
from threerc.testbed.faults import FAULTS, VM, Fault, Options
from threerc.testbed.grip import Grip
from threerc.testbed.outliving import Outlived, Outliving, await_none, wrong_of
from threerc.testbed.prepare import read_wanted
from threerc.testbed.splitting import most_copies
from threerc.testbed.supplies import Profile
from threerc.testbed.trials import Trial


@dataclass(slots=True, eq=False)
class _Begun:
    """A fault that has begun; `healed` is when that was over."""

    fault: Fault
    target: str
    options: Options
    healed: float | None = None


@dataclass(frozen=True, slots=True)
class _Struck:
    """What has happened to a virtual machine: when, and where it ran until then."""

    begun: _Begun
    at: float
    before: str


@dataclass
class RunningSite:
    """A site that runs. All methods raise TestbedError.

    `say` is told in a line what happens; whoever waits is ended by `stop`. `grip` and `testbed` are
    there for all that has no name here: running programs anywhere, signals, cables, events.
    """

    testbed: Testbed
    say: Say = field(default=lambda _line: None)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.grip = Grip(self.testbed)
        self.profile: Profile = read_wanted(self.testbed.run.folder).profile
        self._begun: list[_Begun] = []
        self._struck: dict[str, _Struck] = {}

    # -- whom a test speaks of

    def vm(self, name: str) -> Machine:
        """A virtual machine."""
        if name not in self.grip.config.virtual_machines:
            raise TestbedError(f"{self.grip.config.site} has no virtual machine {name}")
        return Machine(self, name)

    def host(self, name: str) -> Host:
        """A physical host or a service host."""
        if name not in self.grip.daemons:
            raise TestbedError(f"{self.grip.config.site} has no host {name}")
        return Host(self, name)

    # -- what happens to it

    def crash(self, target: str, fault: str, **options: Any) -> None:
        """Let a fault strike a machine, a host, a controller, a switch or (with "") the site.

        Faults and their options are those of scenarios.
        """
        found = find_fault(self.grip, target, fault)
        self._strike(_Begun(found, target, options), self._about_to_strike(found, target))

    def _strike(self, begun: _Begun, before: dict[str, str]) -> None:
        at = crashes.begin(self.grip, begun.fault, begun.target, begun.options)
        self._begun.append(begun)
        self.say(f"{begun.target or 'the site'}: {begun.fault.name}")
        self._struck |= {vm: _Struck(begun, at, host) for vm, host in before.items()}

    def _about_to_strike(self, fault: Fault, target: str) -> dict[str, str]:
        """The machines that a fault strikes, and where they run; each is up."""
        if fault.of == VM:
            self._crash(target, fault).await_up()
            before = {target: self.grip.where(target)}
        elif fault.takes_machines and target in self.grip.providers("physical"):
            machines = self.grip.config.virtual_machines
            before = {vm: target for vm in machines if target in self.grip.copies(vm)}
        else:
            before = {}
        for vm in before:
            self._crash(vm, fault).note_heartbeat()
        return before

    def _crash(self, vm: str, fault: Fault, options: Options | None = None) -> Crash:
        return Crash(self.grip, vm, fault, options or {}, self.profile, self.stop)

    def heal(self, target: str | None = None) -> None:
        """Undo what is left of all faults, or of those of a target, also where one cannot be."""
        wrong: list[str] = []
        for begun in [each for each in self._begun if target in {None, each.target}]:
            try:
                self._undo(begun)
            except TestbedError as error:
                name = begun.target or "the site"
                wrong.append(f"{name}: {begun.fault.name} is not healed: {error}")
        if wrong:
            raise TestbedError("\n".join(wrong))

    def _undo(self, begun: _Begun) -> float:
        if begun.healed is None:
            at = crashes.heal(self.grip, begun.fault, begun.target, begun.options)
            self._begun.remove(begun)
            begun.healed = at
        return begun.healed

    # -- what has to come of it

    def wait_recovered(self, vm: str, within: float | None = None) -> Trial:
        """Wait until the controllers have brought a machine back, and judge that.

        `within` are seconds from its last crash, or from that of its host; without it, what the
        site's own policy allows. AssertionError, with all that was seen, where it does not come
        back, or is not as it has to be: one copy, on a host on which it may run and which the
        controllers remember; heard by every collector; its boot link as declared; after a
        reinstallation the OS and middleware that DNS says.
        """
        if vm not in self._struck:
            raise TestbedError(f"nothing has happened to {vm} that it could recover from")
        trial = self._recovered(vm, within)
        if not trial.good:
            raise AssertionError(_told(trial))
        return trial

    def trials(self, target: str, fault: str, **options: Any) -> tuple[Trial, ...]:
        """Let a fault strike, wait for all machines that it takes away, judge that, and heal it.

        Raises NotStruck where it could not be done.
        """
        found = find_fault(self.grip, target, fault)
        try:
            before = self._about_to_strike(found, target)
            if not before:
                raise TestbedError(f"no virtual machine runs on {target}")
            self._strike(_Begun(found, target, options), before)
        except Interrupted:
            raise
        except TestbedError as error:
            raise NotStruck(str(error)) from error
        try:
            trials = tuple(self._recovered(vm, None) for vm in before)
        finally:
            self.heal()
        return trials if found.of == VM else self._afterwards(target, trials)

    def _afterwards(self, host: str, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        """They, once their host is healed: it is whole, and no machine comes back with it."""
        left = await_none(lambda: wrong_of(self.grip, host), self.say)
        seen = self.grip.events()
        found = []
        for trial in trials:
            vm, copies = trial.crash.vm, self.grip.copies(trial.crash.vm)
            since = [event for event in seen if event.time >= trial.crash.at]
            most = most_copies(since, vm, [trial.before], copies)
            more = (f"after the healing there were {most} copies of it",) if most > 1 else ()
            found.append(replace(trial, wrong=(*trial.wrong, *more, *left)))
        return tuple(found)

    def takes_machines(self, fault: Fault, target: str) -> bool:
        """Whether controllers have a machine to bring back, and not only a service to outlive.

        A machine of which only gmond is dead is left alone by those that ask it too.
        """
        if fault.of != VM:
            return fault.takes_machines and target in self.grip.config.physical_hosts
        return fault.name != "gmond" or self.grip.config.monitors.probe == "none"

    def outlived(self, target: str, fault: str, **options: Any) -> Outlived:
        """Let a fault that takes no machine away strike, heal it, and look at all of the site."""
        found = find_fault(self.grip, target, fault)
        return Outliving(self.grip, target, found, options, self.profile).run(self.say)

    def _recovered(self, vm: str, within: float | None) -> Trial:
        struck = self._struck.pop(vm)
        begun = struck.begun
        crash = self._crash(vm, begun.fault, begun.options)
        seconds = crashes.bound(self.grip, vm) if within is None else within
        recovered = crash.await_recovery(struck.at, seconds, self.say, partial(self._undo, begun))
        if begun.fault.of == VM:
            self.heal(vm)
        return crash.judged(0, struck.at, struck.before, seconds, recovered=recovered)

    def wait_up(self, machines: Iterable[str] | None = None) -> None:
        """Wait until the machines (all, if none are named) and the physical hosts are up, and have
        the controllers forget that these machines ever failed.
        """
        await_hosts(self.grip, self.stop)
        for vm in self.grip.config.virtual_machines if machines is None else machines:
            self._crash(vm, FAULTS["poweroff", VM]).await_up()
            self.grip.errand("forget", vm)

    # -- how it is

    def status(self) -> dict[str, Any]:
        """What `3rc status --json` says."""
        return self.grip.status()

    def log(self) -> list[str]:
        """The lines of the controllers' log."""
        return self.grip.log()


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine of a running site."""

    site: RunningSite
    name: str

    @property
    def host(self) -> str:
        """The physical host that it runs on."""
        return self.site.grip.where(self.name)

    def crash(self, fault: str = "poweroff", **options: Any) -> None:
        """Let a fault strike it, once it is up."""
        self.site.crash(self.name, fault, **options)

    def heal(self) -> None:
        """Undo what is left of its faults."""
        self.site.heal(self.name)

    def run(self, command: str) -> Answer:
        """Run a shell command in it as root, by ssh."""
        return self.site.grip.guest(self.name, command)


@dataclass(frozen=True, slots=True)
class Host:
    """A physical host or a service host of a running site."""

    site: RunningSite
    name: str

    def power_off(self) -> None:
        """Cut its power: all that runs on it is gone at once."""
        self.crash("power")

    def crash(self, fault: str, **options: Any) -> None:
        """Let a fault strike it."""
        self.site.crash(self.name, fault, **options)

    def heal(self) -> None:
        """Undo what is left of its faults: its power is on again, its cables are plugged in."""
        self.site.heal(self.name)

    def run(self, *command: str) -> Answer:
        """Run a program on it as root."""
        return self.site.grip.run(self.name, *command)


def _told(trial: Trial) -> str:
    """A recovery that was not as it has to be, for people."""
    head = [f"{trial.crash.vm} after {trial.fault}: {each}" for each in trial.wrong]
    logs = [line for name, text in trial.logs.items() for line in (f"--- {name}", text)]
    return "\n".join([*head, "What was seen:", *trial.story, *logs])
