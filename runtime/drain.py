"""Maintenance with draining: the VMs of a host are moved away while they run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from threerc.runtime.errors import Conflict, ControllerError, Refused
from threerc.runtime.memory import ALL
from threerc.runtime.placement import Choice, place
from threerc.runtime.records import MIGRATE, Intent
from threerc.runtime.round import Round
from threerc.runtime.survey import Survey
from threerc.runtime.view import View

_AT_ONCE: Final = 4
"""How many VMs leave in one tick: each migration fills the network for a while."""


def drain(turn: Round) -> None:
    """Move some of the VMs that are up on hosts to be drained."""
    said = turn.memory.maintenance
    draining = [name for name in turn.config.physical_hosts if name in said and said[name].drain]
    if not draining:
        return
    survey = _find_moved(turn, draining)
    # The turn's own view is as old as the tick: it does not know where VMs were just started.
    view = View(turn.config, turn.memory, turn.view.observation, turn.now)
    up = [vm for name in draining for vm in view.vms_on(name) if vm not in view.down]
    stay = {vm: why for vm in up if (why := _stays(turn, vm))}
    for vm, why in stay.items():
        turn.note(vm, f"it stays on its host: {why}")
    choices = _choices(view, [vm for vm in up if vm not in stay and not _busy(turn, vm)])
    jobs = {}
    for vm, choice in choices.items():
        if choice.host is None:
            turn.note(vm, "it cannot leave its host: " + _why(choice))
        elif _begin(turn, vm, choice.host):
            there = turn.world.hypervisor(view.owners[vm])
            jobs[vm] = partial(there.migrate, vm, choice.host)
    for vm, answer in turn.world.together(jobs, turn.config.deadline).items():
        if isinstance(answer, Exception) and not isinstance(answer, ControllerError):
            raise answer
        _end(turn, vm, str(choices[vm].host), answer)
    for name in draining:
        if name in survey.running:
            _see_whether_empty(turn, name, survey.running[name], view.sent_to.get(name, ()))


def _see_whether_empty(
    turn: Round, host: str, running: frozenset[str], sent: Sequence[str]
) -> None:
    """Say when nothing of the site runs on a host any more, by the host's own word; and when
    something does again.
    """
    ours = sorted(running & turn.config.virtual_machines.keys())
    empty = not ours and not sent
    if empty is turn.memory.maintenance[host].drained:
        return
    try:
        turn.memory.set_drained(host, empty)
    except Conflict:
        return  # the other controller has said it, or an operator something else
    others = f"; {', '.join(sorted(running))} still do, which 3RC does not know" if running else ""
    gone = f"it is drained: no virtual machine of the site runs on it any more{others}"
    again = f"it was drained, but is so no more: {', '.join(ours) or 'a move there is open'}"
    turn.note(host, gone if empty else again)


def _stays(turn: Round, vm: str) -> str:
    """Why a VM is not moved, or nothing."""
    if vm in turn.memory.unread:
        return turn.view.unreadable(vm)
    return "" if turn.memory.paused.keys().isdisjoint((vm, ALL)) else "paused by an operator"


def _find_moved(turn: Round, draining: Sequence[str]) -> Survey:
    """Ask the hosts themselves: whoever moved a VM there by hand has told nobody.

    The record follows where its own host denies the VM.
    """
    view, survey = turn.view, Survey()
    survey.ask(turn.world, turn.config, set(draining) - view.down)
    found = {
        vm: name
        for name, vms in survey.running.items()
        for vm in sorted(vms & view.owners.keys() - view.down)
        if view.owners[vm] != name and not _busy(turn, vm) and vm not in view.unread
    }
    owners = {view.owners[vm] for vm in found} & turn.config.physical_hosts.keys()
    survey.ask(turn.world, turn.config, owners - survey.running.keys() - survey.lost.keys())
    for vm, name in found.items():
        if survey.runs(vm, view.owners[vm]) is not False:
            turn.note(vm, f"it runs on {name}, which is drained; so it may on {view.owners[vm]}")
            continue
        turn.note(vm, f"it runs on {name}, not on {view.owners[vm]}: somebody has moved it")
        held = turn.memory.record(vm, view.owners[vm])
        with suppress(Conflict):
            turn.memory.save(vm, held.record.model_copy(update={"host": name}))
    return survey


def _choices(view: View, leaving: Sequence[str]) -> dict[str, Choice]:
    """Where those go that leave now, and why others cannot.

    All are placed, or four that nobody can take would keep the others back.
    """
    choices = place(map(view.request, leaving), view.hosts(leaving, ()))
    later = [vm for vm, choice in choices.items() if choice.host][_AT_ONCE:]
    return {vm: choice for vm, choice in choices.items() if vm not in later}


def _busy(turn: Round, vm: str) -> bool:
    """Whether somebody is at it."""
    held = turn.memory.held.get(vm)
    return held is not None and held.record.intent is not None


def _begin(turn: Round, vm: str, to: str) -> bool:
    memory = turn.memory
    held = memory.record(vm, turn.config.virtual_machines[vm].home)
    intent = Intent(step=MIGRATE, to=to, by=memory.me, since=turn.now)
    try:
        memory.save(vm, held.record.model_copy(update={"intent": intent}))
    except Conflict:
        return False
    return True


def _end(turn: Round, vm: str, to: str, answer: object) -> None:
    """Write down where it is; where that is not known, the intent stays and says so."""
    record = turn.memory.held[vm].record
    if isinstance(answer, Refused):
        turn.note(vm, f"it could not be moved to {to}: {answer}")
        if record.intent is not None:
            # That is over: it is where it was as soon as both hosts say so.
            over = record.intent.model_copy(update={"since": 0.0})
            with suppress(Conflict):
                turn.memory.save(vm, record.model_copy(update={"intent": over}))
        return
    if isinstance(answer, ControllerError):
        turn.note(vm, f"it is not known yet whether it was moved to {to}: {answer}")
        return
    turn.note(vm, f"moved from {record.host} to {to}, running")
    try:
        turn.memory.save(vm, record.model_copy(update={"host": to, "intent": None}))
    except Conflict:
        turn.note(vm, "another controller has changed its record meanwhile")


def _why(choice: Choice) -> str:
    return ", ".join(f"{name} ({why})" for name, why in choice.refused.items())
