"""Which physical hosts answer, which VMs run on them, and whether one that is lost is surely dead.

A host is asked once a tick, however many VMs it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError, MonitorLost, Unreachable
from threerc.runtime.round import Round
from threerc.runtime.view import View
from threerc.runtime.world import Probed, World

_ASKING: Final = 0.25
_FENCING: Final = 0.5
"""What these may take of the deadline: with one host that hangs the others' VMs still start."""


@dataclass
class Survey:
    """What was learned of the hosts that were asked.

    `running` has those that answered, with the VMs on them; `lost` those that did not, with what
    they said; `dead` those of the lost that cannot run anything any more, and how that is known;
    `doubt` those of the lost that may, and why.
    """

    running: dict[str, frozenset[str]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    doubt: dict[str, str] = field(default_factory=dict)

    def ask(self, world: World, config: ControllerConfig, hosts: Iterable[str]) -> None:
        """Ask hosts what runs on them."""
        jobs = {name: world.hypervisor(name).running for name in sorted(set(hosts))}
        for name, answer in world.together(jobs, config.deadline * _ASKING).items():
            if isinstance(answer, ControllerError):
                self.lost[name] = str(answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                self.running[name] = answer

    def fence(self, turn: Round, hosts: Iterable[str]) -> None:
        """See lost hosts dead: by their power, or by the site's policy (thesis 2.14)."""
        asked = sorted(set(hosts) & self.lost.keys())
        signs = Signs(turn.view, _probe(turn, asked), self.running)
        jobs = {name: partial(_fence, turn.world, signs, name) for name in asked}
        seconds = turn.config.deadline * _FENCING
        for name, answer in turn.world.together(jobs, seconds).items():
            if isinstance(answer, str):
                self.dead[name] = answer
            elif isinstance(answer, ControllerError):
                # What it said: a key that cannot be read must not look like a dead host.
                self.doubt[name] = f"{answer} (asked what runs there: {self.lost[name]})"
            else:
                raise answer

    def runs(self, vm: str, host: str) -> bool | None:
        """Whether a VM runs on a host; None where that does not answer."""
        return vm in self.running[host] if host in self.running else None

    def copies(self, vm: str) -> tuple[str, ...]:
        """The hosts on which a VM was seen to run."""
        return tuple(sorted(name for name, vms in self.running.items() if vm in vms))


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of life on lost hosts: the monitor's, and those of a probe where there is one.

    `running` is what other hosts say that they run.
    """

    view: View
    probed: Probed
    running: Mapping[str, frozenset[str]]

    def living(self, host: str) -> str:
        """Who is alive on a host, as far as can be seen from here; or nothing."""
        view, answering = self.view, self.probed.answer
        for vm in view.vms_about(host):
            if self._is_found_elsewhere(vm):
                continue
            where = "on it" if view.owners[vm] == host else "which may be on it,"
            if vm not in view.down:
                return f"{vm} {where} is alive"
            if vm in answering:
                return f"{vm} {where} answers when asked directly"
        if host in answering:
            return "it answers when asked directly"
        return "" if host in view.down else "it is alive itself"

    def _is_found_elsewhere(self, vm: str) -> bool:
        """Whether a VM whose record says nothing was found on a host that is not lost."""
        return vm in self.view.unread and any(vm in vms for vms in self.running.values())

    def doubt(self, host: str) -> str:
        """Why it is too early to say that nobody lives on a host, or nothing.

        All of it passes. What was never seen, or is paused, is no reason: where the host and all
        on it are silent it would keep a dead host from being fenced for ever.
        """
        view = self.view
        if host in self.probed.unasked:
            return f"it cannot be asked whether it is dead: {self.probed.unasked[host]}"
        for name in (host, *view.vms_about(host)):
            forgotten = view.forgotten(name)
            if forgotten is not None and (name == host or view.known(name)):
                return f"the monitor does not know {name}, for {forgotten:.0f} s now"
        for vm in view.vms_about(host):
            intent = view.under_way(vm)
            if intent is not None and intent.to == host:
                return f"{intent.by} is at it: {intent.step} of {vm} there"
            if view.lately_written(vm) and not self._is_found_elsewhere(vm):
                return f"somebody may be starting {vm} there, whose record cannot be read"
        return ""


def _probe(turn: Round, hosts: Iterable[str]) -> Probed:
    """Ask hosts directly, and the VMs that may be on them, where the site wants that."""
    names = dict.fromkeys(hosts)
    if turn.config.monitors.probe == "none" or not names:
        return turn.probed
    names |= dict.fromkeys(vm for host in names for vm in turn.view.vms_about(host))
    try:
        found = turn.world.answers(names)
    except MonitorLost as error:
        found = Probed(frozenset(), dict.fromkeys(names, str(error)))
    return Probed(found.answer | turn.probed.answer, found.unasked)


def _fence(world: World, signs: Signs, host: str) -> str:
    """How a lost host is known to be dead. Raises Unreachable where it is not."""
    living = signs.living(host)
    power = world.power(host)
    if power is None:
        return _policy(signs.view, host, "nothing can cut its power", living)
    hurt = living or signs.doubt(host)
    if hurt:
        raise Unreachable(f"{host} does not answer, but {hurt}: its power is not cut")
    try:
        power.off()
        on = power.is_on()
    except ControllerError as error:
        return _policy(signs.view, host, f"its power cannot be cut ({error})", living)
    if on:
        return _policy(signs.view, host, "its power is on after it was cut", living)
    return f"the power of {host} was cut"


def _policy(view: View, host: str, why: str, living: str) -> str:
    """Go on without having seen the old copy dead, where the site says so. Raises Unreachable."""
    split = view.config.split_brain
    if split.policy == "wait":
        raise Unreachable(f"{host} does not answer and {why}: the old copy may be alive")
    if living:
        raise Unreachable(f"{host} does not answer and {why}, but {living}: so may be the old copy")
    silent = view.silent(host)
    if silent < split.after:
        raise Unreachable(
            f"{host} does not answer and {why}: the old copy may be alive; the site's policy goes "
            f"on when it has been silent for {split.after} s, by now {silent:.0f}"
        )
    return f"{host} was silent for {silent:.0f} s and {why}: went on by the site's policy"
