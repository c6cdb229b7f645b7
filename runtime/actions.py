"""One action on one VM, carried out. The old copy is dead before a new one starts (thesis 2.14)."""

from __future__ import annotations

from dataclasses import dataclass

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError, Refused, Unreachable
from threerc.runtime.records import Step
from threerc.runtime.world import Leave, World


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a VM: the step, and the host that it runs on afterwards.

    `kill_on` are the hosts on which a copy may be; on all others it is known to be dead. `leave`
    is asked before each step of it: the time of all of them, and the right to act.
    """

    vm: str
    step: Step
    to: str
    kill_on: tuple[str, ...]
    leave: Leave


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
            world.hypervisor(host, order.leave).kill(order.vm)
        if order.step is Step.REINSTALL:
            _boot_installer(world, config, order)
    except ControllerError as error:
        return Done(None, f"nothing was started: {error}")
    return _start(world, order)


def _reboot(world: World, order: Order) -> Done:
    """A machine that is down hardly answers; the try counts all the same (thesis 7.12.1)."""
    try:
        world.reboot(order.vm, order.leave)
    except (Unreachable, Refused) as error:
        return Done(order.to, f"it could not be told to reboot: {error}")
    except ControllerError as error:
        return Done(None, f"it was not told to reboot: {error}")
    return Done(order.to)


def _boot_installer(world: World, config: ControllerConfig, order: Order) -> None:
    boot = config.virtual_machines[order.vm].boot
    if boot is None or boot.install is None:
        raise Refused(f"{order.vm} does not boot an installer over PXE")
    world.boot(order.vm, boot.install, order.leave)


def _start(world: World, order: Order) -> Done:
    """Switch it on. Once the order is given a copy may be there, whatever is answered."""
    try:
        there = world.hypervisor(order.to, order.leave)
        if order.step is Step.SNAPSHOT:
            there.restore(order.vm)
        else:
            there.start(order.vm)
    except (Unreachable, Refused) as error:
        note = f"it could not be started on {order.to}: {error}"
        return Done(order.to, note, failed=True, refused=isinstance(error, Refused))
    except ControllerError as error:
        # Without leave the command was not sent, and to switch it on is the last one.
        return Done(None, f"nothing was started: {error}")
    return Done(order.to)
