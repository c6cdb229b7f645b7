"""One action on one VM, carried out. The old copy is dead before a new one starts (thesis 2.14)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from threerc.runtime.config import Boot, ControllerConfig
from threerc.runtime.errors import ControllerError, Refused, Unreachable
from threerc.runtime.records import Step
from threerc.runtime.world import Leave, World


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a VM: the step, and the host that it runs on afterwards.

    `kill_on` are the hosts on which a copy may be; on all others it is known to be dead, or taken
    for that: `behind` are those of which the host itself could not be asked. `leave`
    is asked before each step of it: the time of all of them, and the right to act. With
    `link_back` its boot link is still on an installer that it is not meant to boot any more.
    """

    vm: str
    step: Step
    to: str
    kill_on: tuple[str, ...]
    leave: Leave
    link_back: bool = False
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """How an action ended. `host` is where the VM is now, None where nothing was done.

    `step` is what was done in place of what was ordered. `failed` tells that it could not be
    started there, `refused` that it surely does not run there either. `note` is for people.
    """

    host: str | None
    note: str = ""
    failed: bool = False
    refused: bool = False
    step: Step | None = None


def carry_out(world: World, config: ControllerConfig, order: Order) -> Done:
    """Do it. Never raises but for bugs: what went wrong is in the result."""
    boot = config.virtual_machines[order.vm].boot
    if order.link_back and boot is not None and order.step is not Step.REINSTALL:
        _link_is_due(world, order, boot)
    if order.step is Step.REBOOT:
        return _reboot(world, order)
    if order.step is Step.REINSTALL:
        return _reinstall(world, config, order)
    return _restart(world, order)


def _reboot(world: World, order: Order) -> Done:
    """A machine that is down hardly answers; the try counts all the same (thesis 7.12.1)."""
    try:
        world.reboot(order.vm, order.leave)
    except (Unreachable, Refused) as error:
        return Done(order.to, f"it could not be told to reboot: {error}")
    except ControllerError as error:
        return Done(None, f"it was not told to reboot: {error}")
    return Done(order.to)


def _reinstall(world: World, config: ControllerConfig, order: Order) -> Done:
    """Restart it with its boot link on the installer, which is seen to before anything is killed.

    Where the link cannot be switched it is restarted only, if the site has that step: the same
    trouble may be why it does not come up.
    """
    machine = config.virtual_machines[order.vm]
    if machine.boot is None or machine.boot.install is None:
        return Done(None, f"{order.vm} does not boot an installer over PXE")
    try:
        world.boot(order.vm, machine.boot.install, _half(order))
    except (Unreachable, Refused) as error:
        note = f"its boot link cannot be switched: {error}"
        _link_back(world, order, machine.boot)
        if not config.policy(machine).steps.restart:
            return Done(None, f"nothing was done: {note}")
        done = _restart(world, replace(order, step=Step.RESTART))
        note = "; ".join(filter(None, (f"not reinstalled: {note}", done.note)))
        return replace(done, step=Step.RESTART, note=note)
    except ControllerError as error:
        return Done(None, f"nothing was done: {error}")
    done = _restart(world, order)
    if done.host is None or done.refused:
        # A copy that is left may boot again by itself, and is not meant to install then.
        _link_back(world, order, machine.boot)
    return done


def _link_is_due(world: World, order: Order, boot: Boot) -> None:
    """Or the VM would be installed once more; somebody else's link is left alone."""
    with suppress(ControllerError):
        if world.booted(order.vm) == boot.install:
            world.boot(order.vm, boot.declared, _half(order))


def _half(order: Order) -> Leave:
    """Time for a TFTP server that hangs, which leaves as much for what is to be done without."""
    return lambda: order.leave() / 2


def _link_back(world: World, order: Order, boot: Boot) -> None:
    """Without waiting for it: the record says since when the link may be on the installer."""
    with suppress(ControllerError):
        world.boot(order.vm, boot.declared, _half(order))


def _restart(world: World, order: Order) -> Done:
    """Switch it off wherever it may be, and on again."""
    try:
        for host in order.kill_on:
            world.hypervisor(host, order.leave).kill(order.vm)
    except ControllerError as error:
        return Done(None, f"nothing was started: {error}")
    return _start(world, order)


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
