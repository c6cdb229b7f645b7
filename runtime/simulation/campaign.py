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
from threerc.runtime.simulation.faults import FAULTS, VM
from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.simulation import Simulation, Start
from threerc.runtime.simulation.sleep import Sleep

PARTS: Final = ("detection", "schedule", "ladder", "order", "install", "boot")
"""What a recovery time is made of: see Crash."""
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

    A destructive fault strikes those with INST 1 only: nothing could bring the others back.
    `steps` overrides the site's policy: see `with_steps`. Raises CampaignError.
    """
    begin = start or Start()
    config = with_steps(config, steps) if steps else config
    found = Campaign(fault, steps or OWN_STEPS, begin.seed)
    runner = _Runner(config, fault, begin)
    for done in range(crashes):
        found.crashes.append(runner.crash())
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


class _Runner:
    """Crashes VMs of one simulation, as a witness of what becomes of them."""

    def __init__(self, config: ControllerConfig, fault: str, start: Start) -> None:
        if (fault, VM) not in FAULTS:
            raise CampaignError(f"no fault of a VM: {fault}")
        self.fault = FAULTS[fault, VM]
        self.simulation = Simulation(config, start)
        self.timeline = self.simulation.timeline
        self.site = self.simulation.site
        self.site.store.quick = True
        self.site.witnesses.append(self)
        Sleep(self.simulation)
        self.candidates = _candidates(config, fault)
        self.rest = max(_rest(config, vm) for vm in config.virtual_machines)
        self.chance = self.site.chance.of("crashes")
        self.limit = config.monitors.down_after * 20
        self.current: Crash | None = None
        self.attempts: list[float] = []
        self.begins: list[float] = []

    def crash(self) -> Crash:
        """The next crash, from its beginning to its end."""
        vm = self.chance.choice(self.candidates)
        at = self.timeline.now + self.rest + self.chance.uniform(0, _SPREAD)
        crash = Crash(vm, at)
        self.timeline.at(at, lambda: self._begin(crash))
        self.timeline.run(at + _GIVE_UP)
        self.current = None
        if crash.total is None:
            self._repair(vm)
        self._forget()
        return crash

    def _begin(self, crash: Crash) -> None:
        self.current, self.attempts, self.begins = crash, [], []
        collector = next(iter(self.site.beats.ears))
        last = self.site.beats.last(collector, crash.vm, self.timeline.now)
        crash.detection = (last or crash.at) + self.limit - crash.at
        self.fault.begin(self.simulation, crash.vm, {})

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
        if self.current is not None and vm == self.current.vm:
            self.attempts.append(self.simulation.controllers[controller].began)
            self.begins.clear()

    def copies_changed(self, guest: Guest) -> None:
        """Note when the crashed VM begins to start or, installed, starts again; it may be back."""
        crash = self.current
        if crash is None or guest.name != crash.vm or not self.attempts:
            return
        if any(copy.stage is Stage.PXE for copy in guest.copies.values()):
            self.begins.append(self.timeline.now)
        if guest.serving:
            self._end(crash)

    def _end(self, crash: Crash) -> None:
        now, first, last = self.timeline.now, self.begins[0], self.begins[-1]
        crash.total = now - crash.at
        crash.schedule = self.attempts[0] - crash.at - crash.detection
        crash.ladder = self.attempts[-1] - self.attempts[0]
        crash.order = first - self.attempts[-1]
        crash.install = last - first
        crash.boot = now - last
        self.current = None
        self.timeline.stop()

    def linked(self, vm: str, target: str, controller: str) -> None:
        """A boot link alone brings nothing back."""

    def fenced(self, host: str, controller: str) -> None:
        """No host fails in a campaign."""


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
