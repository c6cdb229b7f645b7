"""Maintenance with draining: the VMs of a host are moved away while they run."""

from __future__ import annotations

from functools import partial
from typing import Final

from threerc.runtime.errors import Conflict, ControllerError
from threerc.runtime.placement import Choice, place
from threerc.runtime.records import MIGRATE, Intent
from threerc.runtime.round import Round

_AT_ONCE: Final = 4
"""How many VMs leave in one tick: each migration fills the network for a while."""


def drain(turn: Round) -> None:
    """Move some of the VMs that are up on hosts to be drained."""
    choices = _choices(turn)
    jobs = {}
    for vm, choice in choices.items():
        if choice.host is None:
            turn.note(vm, "it cannot leave its host: " + _why(choice))
        elif _begin(turn, vm, choice.host):
            there = turn.world.hypervisor(turn.view.owners[vm])
            jobs[vm] = partial(there.migrate, vm, choice.host)
    for vm, answer in turn.world.together(jobs, turn.config.deadline).items():
        if isinstance(answer, Exception) and not isinstance(answer, ControllerError):
            raise answer
        _end(turn, vm, str(choices[vm].host), answer)


def _choices(turn: Round) -> dict[str, Choice]:
    view, memory = turn.view, turn.memory
    draining = [name for name, drained in memory.maintenance.items() if drained]
    leaving = [vm for name in draining for vm in view.vms_on(name) if _may_leave(turn, vm)]
    if not leaving:
        return {}
    requests = [view.request(vm) for vm in leaving[:_AT_ONCE]]
    return place(requests, view.hosts(leaving[:_AT_ONCE], ()))


def _may_leave(turn: Round, vm: str) -> bool:
    """A VM that is up, and with which nobody is busy."""
    held = turn.memory.held.get(vm)
    busy = held is not None and held.record.intent is not None
    return vm not in turn.view.down and not busy


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
    if isinstance(answer, ControllerError):
        turn.note(vm, f"it could not be moved to {to}: {answer}")
        return
    turn.note(vm, f"moved from {record.host} to {to}, running")
    try:
        turn.memory.save(vm, record.model_copy(update={"host": to, "intent": None}))
    except Conflict:
        turn.note(vm, "another controller has changed its record meanwhile")


def _why(choice: Choice) -> str:
    return ", ".join(f"{name} ({why})" for name, why in choice.refused.items())
