"""What a tick does for VMs that are up: it sees them recovered, and puts boot links back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from threerc.runtime import journal
from threerc.runtime.errors import Conflict, ControllerError
from threerc.runtime.memory import Memory
from threerc.runtime.records import MIGRATE, Record
from threerc.runtime.view import View
from threerc.runtime.world import World


def keep_up(world: World, view: View) -> list[dict[str, Any]]:
    """Bring the records of VMs up to date; the events of it."""
    events: list[dict[str, Any]] = []
    for vm in sorted(view.memory.held):
        if vm in view.config.virtual_machines:
            events += _keep(world, view, vm)
    return events


def _keep(world: World, view: View, vm: str) -> Iterator[dict[str, Any]]:
    memory, now = view.memory, view.now
    record = memory.held[vm].record
    wanted = record
    if record.link is None and vm in memory.installed:
        _forget_word(memory, vm)
    if record.link is not None and _install_is_over(view, vm, record):
        wanted, note = _link_back(world, view, vm, record)
        yield journal.noted(now, memory.me, vm, note)
    if vm not in view.down and memory.held[vm].version:
        wanted = _seen_up(world, view, vm, wanted)
    if wanted is record or wanted == record:
        return
    try:
        memory.save(vm, wanted)
    except Conflict:
        return
    if record.up is None and wanted.up is not None:
        yield journal.recovered(now, memory.me, vm, wanted)


def _forget_word(memory: Memory, vm: str) -> None:
    """Nobody waits for it; at the next installation it would come far too early."""
    with suppress(Conflict):
        memory.was_installed(vm)


def _install_is_over(view: View, vm: str, record: Record) -> bool:
    """It said so, or it is up again, or its installer was loaded long ago.

    A link that still says `install` when the installer reboots would install for ever.
    """
    if vm in view.memory.installed:
        return True
    elapsed = view.memory.elapsed(vm, record)
    return vm not in view.down or elapsed >= view.config.boot_link


def _link_back(world: World, view: View, vm: str, record: Record) -> tuple[Record, str]:
    """Point the link at what the VM boots by declaration, unless somebody has changed it."""
    boot = view.config.virtual_machines[vm].boot
    cleared = record.model_copy(update={"link": None})
    if boot is None:
        return cleared, "it has no boot link any more"
    try:
        now = world.booted(vm)
        if now == boot.install:
            world.boot(vm, boot.declared)
        view.memory.was_installed(vm)
    except ControllerError as error:
        return record, f"its boot link may still say install: {error}"
    if now not in (boot.install, boot.declared):
        return cleared, f"its boot link was switched to {now} by somebody else: left as it is"
    again = " again" if now == boot.install else ""
    return cleared, f"its boot link says {boot.declared}{again}"


def _seen_up(world: World, view: View, vm: str, record: Record) -> Record:
    """A VM that is up: what was unclear or held against it is so no more."""
    update: dict[str, Any] = {}
    if record.up is None:
        update |= {"up": view.now, "avoid": ()}
    if record.intent is not None and (host := _where(world, vm, record)) is not None:
        update |= {"intent": None, "host": host}
    history = view.config.policy(view.config.virtual_machines[vm]).history
    if record.left and record.up is not None and view.now - record.up >= history:
        update |= {"left": "", "strain": 0.0}
    return record.model_copy(update=update) if update else record


def _where(world: World, vm: str, record: Record) -> str | None:
    """The host of a VM whose action nobody saw the end of; None as long as nobody is sure."""
    intent = record.intent
    if intent is None:
        return record.host
    here = _runs(world, vm, record.host)
    if intent.step == MIGRATE and here is not False:
        return None  # perhaps it is still on its way
    if _runs(world, vm, intent.to):
        return intent.to
    return record.host if here else None


def _runs(world: World, vm: str, host: str) -> bool | None:
    """Whether a VM runs on a host; None where that does not answer."""
    try:
        return vm in world.hypervisor(host).running()
    except ControllerError:
        return None
