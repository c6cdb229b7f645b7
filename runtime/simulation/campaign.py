"""Thousands of crashes, one after another, on one site: how long each VM was away, and why.

Source: thesis 7.13: 10,000 non-destructive and 5,000 destructive crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from threerc.runtime import operators
from threerc.runtime.config import ControllerConfig, Policy, Steps
from threerc.runtime.errors import ControllerError
from threerc.runtime.records import Step
from threerc.runtime.simulation.faults import FAULTS, HOST, VM, Fault
from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.simulation import Simulation, Start
from threerc.runtime.simulation.sleep import Sleep

PARTS: Final = ("detection", "schedule", "ladder", "order", "install", "boot")
"""What a recovery time is made of: see Crash."""
HOST_CRASHES: Final = ("power", "hang", "network")
"""The faults of a physical host that take its VMs away, or out of reach."""
OWN_STEPS: Final = "as the site has them"
_DESTRUCTIVE: Final = ("erase-boot",)
_GIVE_UP: Final = 6 * 3600.0
_SPREAD: Final = 2 * 3600.0
_PROGRESS: Final = 100


@dataclass
class Crash:
    """One crash and its recovery; all times in seconds, `total` None where nothing helped.

    `detection` is until the monitor could know, `schedule` until the tick that acted first,
    `ladder` until the one that took the step which helped, `order` until the VM was switched on;
    then come the installation and the boot.
    """

    vm: str
    at: float
    total: float | None = None
    detection: float = 0.0
    schedule: float = 0.0
    ladder: float = 0.0
    order: float = 0.0
    install: float = 0.0
    boot: float = 0.0


@dataclass
class Campaign:
    """All crashes of a campaign, and what was asked for."""

    fault: str
    steps: str
    seed: int
    crashes: list[Crash] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        """The recovery times of those that recovered."""
        return [crash.total for crash in self.crashes if crash.total is not None]


class CampaignError(ControllerError):
    """A campaign that cannot be."""


def campaign(  # noqa: PLR0913 - all that a campaign is
    config: ControllerConfig,
    crashes: int,
    fault: str = "poweroff",
    steps: str | None = None,
    *,
    start: Start | None = None,
    progress: Callable[[int], None] | None = None,
) -> Campaign:
    """Crash a random VM at a random time, wait until it is back, and so on.

    A fault of HOST_CRASHES strikes a random host with VMs, and ends when all of them are back: each
    is a crash of its own then. A destructive fault strikes those with INST 1 only: nothing could
    bring the others back.
    `steps` overrides the site's policy: see `with_steps`. Raises CampaignError.
    """
    begin = start or Start()
    config = with_steps(config, steps) if steps else config
    found = Campaign(fault, steps or OWN_STEPS, begin.seed)
    runner = _Runner(config, fault, begin)
    for done in range(crashes):
        found.crashes += runner.crash()
        if progress and done % _PROGRESS == 0:
            progress(done)
    return found


def with_steps(config: ControllerConfig, text: str) -> ControllerConfig:
    """A site with other steps, such as `restart` or `reboot,restart=2,reinstall`, for all VMs.

    Raises CampaignError.
    """
    tries = {step.value.lower(): 0 for step in Step}
    for each in text.split(","):
        name, _, count = each.strip().partition("=")
        if name not in tries or not (count or "1").isdigit():
            known = ", ".join(tries)
            what = f"{each.strip()!r} is none of the steps"
            raise CampaignError(f"{what}: {known}, as in reboot,restart=2,reinstall")
        tries[name] = int(count or 1)
    if not any(tries.values()):
        raise CampaignError(f"{text!r} leaves no step to be taken")
    steps = Steps.model_validate(tries)

    def changed(policy: Policy) -> Policy:
        return policy.model_copy(update={"steps": steps})

    machines = {
        name: vm.model_copy(update={"recovery": changed(vm.recovery)}) if vm.recovery else vm
        for name, vm in config.virtual_machines.items()
    }
    return config.model_copy(
        update={"recovery": changed(config.recovery), "virtual_machines": machines}
    )


@dataclass
class _Watched:
    """A crash that is not over: when each attempt began, and each start since the last of them."""

    crash: Crash
    attempts: list[float] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)


class _Runner:
    """Crashes VMs of one simulation, or hosts with theirs, as a witness of what becomes of them."""

    def __init__(self, config: ControllerConfig, fault: str, start: Start) -> None:
        self.fault = crash_of(fault)
        self.simulation = Simulation(config, start)
        self.timeline = self.simulation.timeline
        self.site = self.simulation.site
        self.site.store.quick = True
        self.site.witnesses.append(self)
        Sleep(self.simulation)
        self.machines = _candidates(config, fault)
        self.rest = max(_rest(config, vm) for vm in config.virtual_machines)
        self.chance = self.site.chance.of("crashes")
        self.limit = config.monitors.down_after * 20
        self.watched: dict[str, _Watched] = {}

    def crash(self) -> list[Crash]:
        """The next crash, from its beginning to its end: of a VM, or of all that are on a host."""
        target = self.chance.choice(self._targets())
        at = self.timeline.now + self.rest + self.chance.uniform(0, _SPREAD)
        gone = [vm for vm in self.machines if target in {vm, *self.site.guests[vm].copies}]
        crashes = [Crash(vm, at) for vm in gone]
        self.timeline.at(at, lambda: self._begin(target, crashes))
        self.timeline.run(at + _GIVE_UP)
        self.watched.clear()
        if self.fault.of == HOST:
            self._heal(target)
        for crash in crashes:
            if crash.total is None:
                self._repair(crash.vm)
        self._forget()
        return crashes

    def _targets(self) -> Sequence[str]:
        """The VMs, or the hosts on which any are."""
        if self.fault.of == VM:
            return self.machines
        there = {host for vm in self.machines for host in self.site.guests[vm].copies}
        return sorted(there)

    def _begin(self, target: str, crashes: Sequence[Crash]) -> None:
        collector = next(iter(self.site.beats.ears))
        for crash in crashes:
            self.watched[crash.vm] = _Watched(crash)
            last = self.site.beats.last(collector, crash.vm, self.timeline.now)
            crash.detection = (last or crash.at) + self.limit - crash.at
        self.fault.begin(self.simulation, target, {})

    def _heal(self, host: str) -> None:
        """It is as before, and on, which a controller may have cut its power for."""
        assert self.fault.end is not None  # noqa: S101 - each of a host has one
        self.fault.end(self.simulation, host)
        self.site.power_on(host)
        self.timeline.run(self.timeline.now + self.site.timing.host_boot)

    def _repair(self, vm: str) -> None:
        """An operator sets right what no controller could."""
        guest = self.site.guests[vm]
        host = self.site.hosts[self.simulation.history.lives[vm].host]
        for name in list(guest.copies):
            guest.end(name)
        guest.erased = guest.broken = False
        boot = self.simulation.config.virtual_machines[vm].boot
        guest.link = boot.declared if boot else None
        guest.start(host)
        operators.resume(self.site.store, self.simulation.config, vm)

    def _forget(self) -> None:
        """What nobody will ask for: ten thousand crashes would fill the memory."""
        self.simulation.said.clear()
        for controller in self.simulation.controllers.values():
            controller.world.told.clear()
        for life in self.simulation.history.lives.values():
            life.moves.clear()
            if life.serving:
                life.downs.clear()

    # -- as a witness

    def attempted(self, vm: str, step: Step, controller: str) -> None:  # noqa: ARG002 - Witness's
        """An order was given; what happens from now on comes of it."""
        if (own := self.watched.get(vm)) is not None:
            own.attempts.append(self.simulation.controllers[controller].began)
            own.begins.clear()

    def copies_changed(self, guest: Guest) -> None:
        """Note when the crashed VM begins to start or, installed, starts again; it may be back."""
        own = self.watched.get(guest.name)
        if own is None or not own.attempts:
            return
        if any(copy.stage is Stage.PXE for copy in guest.copies.values()):
            own.begins.append(self.timeline.now)
        if guest.serving:
            self._end(own)

    def _end(self, own: _Watched) -> None:
        crash, now, first, last = own.crash, self.timeline.now, own.begins[0], own.begins[-1]
        crash.total = now - crash.at
        crash.schedule = own.attempts[0] - crash.at - crash.detection
        crash.ladder = own.attempts[-1] - own.attempts[0]
        crash.order = first - own.attempts[-1]
        crash.install = last - first
        crash.boot = now - last
        del self.watched[crash.vm]
        if not self.watched:
            self.timeline.stop()

    def linked(self, vm: str, target: str, controller: str) -> None:
        """A boot link alone brings nothing back."""

    def fenced(self, host: str, controller: str) -> None:
        """What that brings back is told of its VMs."""


def crash_of(name: str) -> Fault:
    """The fault of that name that a campaign's crashes may be of. Raises CampaignError.

    `network` is that of a host: against that of a VM nothing but healing helps.
    """
    of = HOST if name in HOST_CRASHES else VM
    if (name, of) not in FAULTS:
        known = ", ".join((*(each for each, of in FAULTS if of == VM), *HOST_CRASHES))
        raise CampaignError(f"{name} takes no VM away; these do: {known}")
    return FAULTS[name, of]


def _candidates(config: ControllerConfig, fault: str) -> Sequence[str]:
    machines = config.virtual_machines.items()
    if fault not in _DESTRUCTIVE:
        found = [vm for vm, _ in machines]
    else:
        found = [vm for vm, it in machines if it.inst and it.boot and it.boot.install]
    if not found:
        raise CampaignError(f"{config.site} has no virtual machine that {fault} could strike")
    return found


def _rest(config: ControllerConfig, vm: str) -> float:
    """How long after one crash the next one is not part of the same trouble."""
    policy = config.policy(config.virtual_machines[vm])
    return float(max(policy.history, 2 * policy.flapping.half_life))
