"""Which physical hosts answer, which VMs run on them, and whether one that is lost is surely dead.

A host is asked once a tick, however many VMs it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError, Unreachable
from threerc.runtime.view import View
from threerc.runtime.world import World

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

    def fence(self, world: World, view: View, hosts: Iterable[str]) -> None:
        """See lost hosts dead: by their power, or by the site's policy (thesis 2.14)."""
        config = view.config
        asked = sorted(set(hosts) & self.lost.keys())
        jobs = {name: partial(_fence, world, view, name) for name in asked}
        for name, answer in world.together(jobs, config.deadline * _FENCING).items():
            if isinstance(answer, str):
                self.dead[name] = answer
            elif isinstance(answer, ControllerError):
                self.doubt[name] = str(answer)
            else:
                raise answer

    def copies(self, vm: str) -> tuple[str, ...]:
        """The hosts on which a VM was seen to run."""
        return tuple(sorted(name for name, vms in self.running.items() if vm in vms))


def _fence(world: World, view: View, host: str) -> str:
    """How a lost host is known to be dead. Raises Unreachable where it is not."""
    power = world.power(host)
    if power is None:
        return _policy(view, host, "nothing can cut its power")
    hurt = _hurt(view, host)
    if hurt:
        raise Unreachable(f"{host} does not answer, but {hurt}: its power is not cut")
    try:
        power.off()
        on = power.is_on()
    except ControllerError as error:
        return _policy(view, host, f"its power cannot be cut ({error})")
    if on:
        return _policy(view, host, "its power is on after it was cut")
    return f"the power of {host} was cut"


def _hurt(view: View, host: str) -> str:
    """Who would be hurt if the power of a host were cut."""
    living = [vm for vm in view.vms_on(host) if vm not in view.down]
    if living:
        return f"{living[0]} on it is alive"
    return "it is alive itself" if host not in view.down else ""


def _policy(view: View, host: str, why: str) -> str:
    """Go on without having seen the old copy dead, where the site says so. Raises Unreachable."""
    split = view.config.split_brain
    if split.policy == "wait":
        raise Unreachable(f"{host} does not answer and {why}: the old copy may be alive")
    silent = view.silent(host)
    if host not in view.down or silent < split.after:
        raise Unreachable(
            f"{host} does not answer and {why}: the old copy may be alive; the site's policy goes "
            f"on when it has been silent for {split.after} s, by now {silent:.0f}"
        )
    return f"{host} was silent for {silent:.0f} s and {why}: went on by the site's policy"
