"""Copies that come back: with a host that was cut off or dead when its VM was started elsewhere.

The site's policy had gone on without it (thesis 2.14), a board had lied, or the host starts its
VMs when it boots. Two copies write to one disk: the one that the record does not name is ended, but
only where the record's host says that it has the other one.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final

from threerc.runtime.errors import Conflict, ControllerError
from threerc.runtime.memory import ALL
from threerc.runtime.records import Record
from threerc.runtime.round import Round
from threerc.runtime.saving import save_all
from threerc.runtime.survey import Survey

_ENDING: Final = 0.5
"""What ending them may take of the deadline."""


class Leftovers:
    """The copies of VMs that are up on hosts that are back."""

    def __init__(self, turn: Round) -> None:
        self.turn = turn
        self.memory = turn.memory
        self.survey = Survey()

    def run(self) -> None:
        """Look for them, say so, and end them."""
        left = sorted(vm for vm, held in self.memory.held.items() if held.record.behind)
        back = {vm: names for vm in left if (names := self._back(vm))}
        if not back:
            return
        self._ask({name for names in back.values() for name in names})
        found: dict[str, str] = {}
        gone: dict[str, Record] = {}
        for vm, names in back.items():
            denied = [name for name in names if self.survey.runs(vm, name) is False]
            if denied:
                gone[vm] = self._without(vm, denied)
            alive = [name for name in names if self.survey.runs(vm, name)]
            if alive:
                found[vm] = alive[0]  # another one in the next tick
        # Where one cannot be written the next tick sees the same.
        save_all(self.turn.world, self.memory, gone, self.turn.config.deadline)
        self._ask({self._record(vm).host for vm in found})
        self._end({vm: name for vm, name in found.items() if self._may_end(vm, name)})

    def _record(self, vm: str) -> Record:
        return self.memory.held[vm].record

    def _back(self, vm: str) -> list[str]:
        """The hosts that are back on which a copy of a VM may be that is up."""
        record, view = self._record(vm), self.turn.view
        if vm not in view.owners or vm in view.down or record.intent is not None:
            return []
        known = self.turn.config.physical_hosts.keys() - view.down - {record.host}
        return [name for name in record.behind if name in known]

    def _ask(self, hosts: set[str]) -> None:
        asked = self.survey.running.keys() | self.survey.lost.keys()
        self.survey.ask(self.turn.world, self.turn.config, hosts - asked)

    def _may_end(self, vm: str, name: str) -> bool:
        """Whether a copy is one too many, and is to be ended; a note of why not."""
        host = self._record(vm).host
        there = self.survey.runs(vm, host)
        if there is None:
            self.turn.note(vm, f"it runs on {name}; {host}, where it should be, does not answer")
            return False
        if there is False:
            self.turn.note(vm, f"it runs on {name}, no more on {host}: somebody has moved it")
            self._forget(vm, name, host=name)
            return False
        if self.turn.report.standstill or not self.memory.paused.keys().isdisjoint((vm, ALL)):
            why = "paused" if not self.turn.report.standstill else "nothing is done just now"
            self.turn.note(vm, f"TWO COPIES of it run, on {host} and on {name}: {why}")
            return False
        return True

    def _end(self, copies: dict[str, str]) -> None:
        seconds = self.turn.config.deadline * _ENDING
        end = self.turn.world.now() + seconds
        jobs = {
            vm: partial(self.turn.world.hypervisor(name, partial(self._leave, vm, end)).kill, vm)
            for vm, name in copies.items()
        }
        for vm, answer in self.turn.world.together(jobs, seconds, copies).items():
            host, name = self._record(vm).host, copies[vm]
            said = f"TWO COPIES of it ran, on {host} and on {name}, which is back"
            if isinstance(answer, ControllerError):
                self.turn.note(vm, f"{said}; that one could not be ended: {answer}")
            elif isinstance(answer, Exception):
                raise answer
            else:
                self.turn.note(vm, f"{said}: that one was ended; look at its disk")
                self._forget(vm, name)

    def _leave(self, vm: str, end: float) -> float:
        """The seconds that are left for one. Raises Conflict, StoreLost."""
        left = end - self.turn.world.now()
        if left <= 0 or not self.memory.holds(vm):
            raise Conflict(f"{vm}: another controller is at it, or it took too long")
        return left

    def _without(self, vm: str, names: Collection[str], host: str = "") -> Record:
        """A record that names no copy on these hosts; the VM is on `host`, if that is news."""
        record = self._record(vm)
        behind = tuple(name for name in record.behind if name not in names)
        return record.model_copy(update={"behind": behind, "host": host or record.host})

    def _forget(self, vm: str, name: str, host: str = "") -> None:
        with suppress(Conflict):  # the next tick sees the same
            self.memory.save(vm, self._without(vm, [name], host))
