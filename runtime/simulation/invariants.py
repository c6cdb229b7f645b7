"""What must never happen, watched while it might: by what is done, not by what is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from threerc.runtime.brake import Braked
from threerc.runtime.config import ControllerConfig
from threerc.runtime.records import Step
from threerc.runtime.round import Report
from threerc.runtime.simulation.guests import Guest
from threerc.runtime.simulation.installs import Installs
from threerc.runtime.simulation.living import Living
from threerc.runtime.simulation.site import Site
from threerc.runtime.simulation.splitting import Splitting

TWO_COPIES: Final = "two-copies"
BY_POLICY: Final = "two-copies-by-policy"
NO_CONSENT: Final = "reinstall-without-inst"
DURING_WAIT: Final = "action-during-wait"
WHILE_BRAKED: Final = "action-while-braked"
NO_REASON: Final = "no-reason"
CUT_OVER_LIVING: Final = "power-cut-over-the-living"
LINK_STAYS: Final = "boot-link-stays-on-install"
TOO_OFTEN: Final = "installed-for-ever"
NOT_RECOVERED: Final = "not-recovered"
WRONG_RECORD: Final = "wrong-record"
UNREADABLE: Final = "state-unreadable"
CRASHED: Final = "controller-crashed"
KINDS: Final = {
    TWO_COPIES: "A VM's process is on two hosts, be it frozen, or on a host that nobody reaches.",
    BY_POLICY: "The same, but the site's policy is to proceed, and the old copy's host was silent "
    "for as long as it says: that is what it gives up (`--search` does not count it).",
    NO_CONSENT: "A VM with INST 0 is made to boot its installer.",
    DURING_WAIT: "A step is taken before the wait after the last one is over.",
    WHILE_BRAKED: "Something is done although the brake was on before the tick began.",
    NO_REASON: "A tick does not say of a VM that is down what it did, or why nothing.",
    CUT_OVER_LIVING: "A host's power is cut over a VM that is up, though the monitor had heard it, "
    "had only just begun anew, or it would have answered when asked directly.",
    LINK_STAYS: "A boot link still names the installer two ticks after its deadline, though the "
    "TFTP server could be reached.",
    TOO_OFTEN: "A VM is installed so often without ever being up that it had to be left to a human "
    "before.",
    NOT_RECOVERED: "A VM is down long after all trouble is over (`--search` only).",
    WRONG_RECORD: "A record names another host than the VM is on, or an action that is under way, "
    "long after all trouble is over (`--search` only).",
    UNREADABLE: "A controller that was killed has left a shared state that cannot be read.",
    CRASHED: "A controller ended by an error that is none of the known ones.",
}
"""What must never happen, with what that means."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must never happen, and did."""

    time: float
    kind: str
    what: str


@dataclass(slots=True)
class _Turn:
    """One controller's tick, as the invariants need it: when it began, and when it looked."""

    start: float
    looked: float
    installs: set[str] = field(default_factory=set)


class Invariants:
    """A witness who only has eyes for what must not be.

    `patience` are seconds by which a wait may be cut short: with clocks that disagree, a
    controller only knows that an action was after its own tick before.
    """

    def __init__(self, site: Site, patience: float = 0.0) -> None:
        self.site = site
        self.config: ControllerConfig = site.config
        self.patience = patience
        self.violations: list[Violation] = []
        self._turns: dict[str, _Turn] = {}
        self._last: dict[str, tuple[float, Step]] = {}
        self._doubled: set[str] = set()
        self._splitting = Splitting(site)
        self._living = Living(site, partial(self.say, CUT_OVER_LIVING))
        self._installs = Installs(site, partial(self.say, LINK_STAYS), partial(self.say, TOO_OFTEN))

    def say(self, kind: str, what: str) -> None:
        """Write down a violation."""
        self.violations.append(Violation(self.site.timeline.now, kind, what))

    # -- what is done

    def copies_changed(self, guest: Guest) -> None:
        """Never two copies: one that hangs, or that nobody reaches, counts."""
        self._living.copies_changed(guest)
        self._installs.copies_changed(guest)
        self._splitting.copies_changed(guest)
        if len(guest.copies) < 2:
            self._doubled.discard(guest.name)
        elif guest.name not in self._doubled:
            self._doubled.add(guest.name)
            kind = BY_POLICY if self._splitting.given_up(guest) else TWO_COPIES
            self.say(kind, f"{guest.name} runs on {' and '.join(guest.copies)}")

    def linked(self, vm: str, target: str, controller: str) -> None:
        """No installation without consent, nor while braked."""
        settings = self.config.virtual_machines[vm]
        if settings.boot is None or target != settings.boot.install:
            return
        self._turns[controller].installs.add(vm)
        self._installs.linked(vm)
        self._check_brake(f"boot link of {vm}", controller)
        if not settings.inst:
            self.say(NO_CONSENT, f"{controller} had {vm} reinstalled, whose INST is 0")

    def attempted(self, vm: str, step: Step, controller: str) -> None:
        """No action while braked, nor before the wait after the last one is over."""
        self._check_brake(f"{step} of {vm}", controller)
        turn = self._turns[controller]
        if vm in turn.installs:
            step = Step.REINSTALL
        last = self._last.get(vm)
        self._last[vm] = (turn.looked, step)
        if last is None:
            return
        since, before = last
        waits = self.config.policy(self.config.virtual_machines[vm]).waits
        wait = {Step.REBOOT: waits.reboot, Step.REINSTALL: waits.reinstall}.get(
            before, waits.restart
        )
        if turn.looked - since <= wait - self.patience:
            passed = f"{turn.looked - since:.0f} s after {before}, not {wait} s"
            self.say(DURING_WAIT, f"{controller}: {step} of {vm} {passed}")

    def fenced(self, host: str, controller: str) -> None:
        """No power is cut while braked, nor over the living."""
        self._check_brake(f"the power of {host}", controller)
        self._living.fenced(host, controller)

    def resumed(self, vm: str) -> None:
        """An operator wants a VM to be tried again."""
        self._installs.begin_anew(vm)

    def _check_brake(self, what: str, controller: str) -> None:
        found = self.site.store.get("brake")
        if found is None:
            return
        braked = Braked.model_validate(found.value)
        # One that was put on by somebody else after this tick had looked binds the next tick.
        if not braked.released and braked.since < self._turns[controller].start - self.patience:
            self.say(WHILE_BRAKED, f"{controller}: {what}, though {braked.reason}")

    # -- what is said

    def begins(self, controller: str) -> None:
        """A controller begins a tick."""
        self._turns[controller] = _Turn(self.site.timeline.now, self.site.timeline.now)
        self._living.begins(controller)

    def looks(self, controller: str) -> None:
        """A controller has taken the clock and looks at the site: this is what it judges by."""
        self._turns[controller].looked = self.site.timeline.now

    def ended(self, controller: str, report: Report) -> None:
        """Every VM that is down has a reason, and boot links are back in time."""
        start = self._turns[controller].start
        self._living.ended(controller, report, start)
        self._installs.ended(controller, start, self.patience)
        if report.observation is None:
            if not report.standstill:
                self.say(NO_REASON, f"{controller} has no data and does not say why")
            return
        told = {case.vm for case in report.cases if case.reason}
        after = self.config.monitors.down_after
        for vm in report.observation.down(self.config.virtual_machines, after) - told:
            self.say(NO_REASON, f"{controller} does not say why {vm} is down")

    def crashed(self, controller: str, error: Exception) -> None:
        """A controller ended by an error that is none of the known ones."""
        self.say(CRASHED, f"{controller}: {type(error).__name__}: {error}")
