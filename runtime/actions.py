"""One action on one VM, carried out. The old copy is dead before a new one starts (thesis 2.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Conflict, ControllerError, Refused, Unreachable
from threerc.runtime.records import Step
from threerc.runtime.world import World


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a VM: the step, and the host that it runs on afterwards.

    `kill_on` are the hosts on which a copy may be; on all others it is known to be dead. `valid`
    says whether this controller still has the right to act.
    """

    vm: str
    step: Step
    to: str
    kill_on: tuple[str, ...]
    valid: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Done:
    """How an action ended. `host` is where the VM is now, None where nothing was done.

    `failed` tells that it could not be started there, `refused` that it surely does not run there
    either. `note` is for people.
    """

    host: str | None
    note: str = ""
    failed: bool = False
    refused: bool = False


def carry_out(world: World, config: ControllerConfig, order: Order) -> Done:
    """Do it. Never raises but for bugs: what went wrong is in the result."""
    if order.step is Step.REBOOT:
        return _reboot(world, order)
    try:
        for host in order.kill_on:
            _check(order)  # or it might kill what another controller has started meanwhile
            world.hypervisor(host).kill(order.vm)
        _check(order)
        if order.step is Step.REINSTALL:
            _boot_installer(world, config, order.vm)
            _check(order)
    except ControllerError as error:
        return Done(None, f"nothing was started: {error}")
    return _start(world, order)


def _reboot(world: World, order: Order) -> Done:
    """A machine that is down hardly answers; the try counts all the same (thesis 7.12.1)."""
    try:
        world.reboot(order.vm)
    except (Unreachable, Refused) as error:
        return Done(order.to, f"it could not be told to reboot: {error}")
    return Done(order.to)


def _check(order: Order) -> None:
    if not order.valid():
        raise Conflict(f"{order.vm}: another controller has taken over, or it took too long")


def _boot_installer(world: World, config: ControllerConfig, vm: str) -> None:
    boot = config.virtual_machines[vm].boot
    if boot is None or boot.install is None:
        raise Refused(f"{vm} does not boot an installer over PXE")
    world.boot(vm, boot.install)


def _start(world: World, order: Order) -> Done:
    """Switch it on. Whatever is answered, from now on a copy may be there."""
    there = world.hypervisor(order.to)
    try:
        if order.step is Step.SNAPSHOT:
            there.restore(order.vm)
        else:
            there.start(order.vm)
    except (Unreachable, Refused) as error:
        note = f"it could not be started on {order.to}: {error}"
        return Done(order.to, note, failed=True, refused=isinstance(error, Refused))
    return Done(order.to)
