"""What a tick does for VMs that are up or were installed: it keeps their records and boot links.

What needs only the shared state comes before the recovery. What needs hosts comes after it and
side by side, so that one that hangs delays nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from threerc.runtime import journal
from threerc.runtime.config import Boot
from threerc.runtime.errors import Conflict, ControllerError
from threerc.runtime.memory import Held
from threerc.runtime.records import MIGRATE, Intent, Record
from threerc.runtime.saving import save_all
from threerc.runtime.survey import Survey
from threerc.runtime.view import View
from threerc.runtime.world import Leave, World

_LINKS: Final = 0.5
"""What putting links back may take of the deadline; the rest is for the next tick."""
_LONGEST_MOVE: Final = 3600.0
"""Seconds after which no live migration is under way any more."""


class Upkeep:
    """The upkeep of one tick: `begin` before the recovery, `end` after it."""

    def __init__(self, world: World, view: View) -> None:
        self.world = world
        self.view = view
        self.memory = view.memory
        self.due: dict[str, Held] = {}
        self.back: list[str] = []
        self.unsure: list[str] = []

    def begin(self) -> list[dict[str, Any]]:
        """See VMs recovered that are up, and which links are due to go back; the events of it."""
        events = self._see()
        for vm in self._held():
            record = self.memory.held[vm].record
            if record.link is None and vm in self.memory.installed:
                self._forget_word(vm)
            if record.link is not None and _install_is_over(self.view, vm, record):
                self.due[vm] = self.memory.held[vm]
        self.unsure = [vm for vm in self.view.unread if self._may_be_long_due(vm)]
        return events

    def _may_be_long_due(self, vm: str) -> bool:
        """Whether a link may say `install` for too long, where no record says since when.

        A controller that can read the record has written it since it switched the link.
        """
        boot = self.view.config.virtual_machines[vm].boot
        since = self.memory.unread[vm].since
        over = vm in self.memory.installed or self.view.now - since >= self.view.config.boot_link
        return boot is not None and boot.install is not None and over

    def end(self) -> list[dict[str, Any]]:
        """Put the links back, and look for VMs of whose last action nobody saw the end."""
        for vm in self.due:
            if not self._is_as_before(vm) and vm in self.memory.installed:
                self._forget_word(vm)  # it was of the installation before
        self._find()
        return list(self._put_back([vm for vm in self.due if self._is_as_before(vm)]))

    def _held(self) -> list[str]:
        return sorted(vm for vm in self.memory.held if vm in self.view.config.virtual_machines)

    def _is_as_before(self, vm: str) -> bool:
        """Whether nothing was done to a VM in this tick."""
        return self.memory.held[vm].version == self.due[vm].version

    def _save(self, records: Mapping[str, Record]) -> set[str]:
        """Write records; the VMs of those that were written. The others are the next tick's."""
        failed = save_all(self.world, self.memory, records, self.view.config.deadline)
        return records.keys() - failed.keys()

    def _forget_word(self, vm: str) -> None:
        """Nobody waits for it; at the next installation it would come far too early."""
        with suppress(Conflict):
            self.memory.was_installed(vm)

    def _see(self) -> list[dict[str, Any]]:
        """See who is up again; the events of it."""
        before = {vm: self.memory.held[vm].record for vm in self._held()}
        after = {vm: record for vm in before if (record := self._seen(vm)) is not None}
        saved = self._save(after)
        self.back = [vm for vm in after if before[vm].up is None and vm in saved]
        me = self.memory.me
        return [journal.recovered(self.view.now, me, vm, after[vm]) for vm in self.back]

    def _seen(self, vm: str) -> Record | None:
        """The new record of a VM that is up: what was held against it is so no more."""
        held, now = self.memory.held[vm], self.view.now
        # Who acts on it just now would lose the right to: after the kill, and before the start.
        if vm in self.view.down or not held.version or self.view.under_way(vm):
            return None
        record, update = held.record, dict[str, Any]()
        if record.up is None:
            update |= {"up": now, "avoid": ()}
        if record.left and record.up is not None:
            policy = self.view.config.policy(self.view.config.virtual_machines[vm])
            if now - record.up >= policy.history:
                update |= {"left": "", "strain": 0.0}
        return record.model_copy(update=update) if update else None

    # -- boot links

    def _put_back(self, vms: Iterable[str]) -> Iterator[dict[str, Any]]:
        config = self.view.config
        seconds = config.deadline * _LINKS
        end = self.world.now() + seconds
        boots = {vm: config.virtual_machines[vm].boot for vm in vms}
        jobs = {
            vm: partial(_link_back, self.world, vm, boot, partial(self._leave, vm, end))
            for vm, boot in boots.items()
        }
        for vm in self.unsure:
            boot, leave = config.virtual_machines[vm].boot, partial(self._leave, vm, end)
            jobs[vm] = partial(_link_off_install, self.world, vm, boot, leave)
        # A job goes to each of the servers in turn: all begin with the first one.
        server = config.tftp_servers[0].host if config.tftp_servers else ""
        done = self.world.together(jobs, seconds, dict.fromkeys(jobs, server))
        over = [vm for vm, answer in done.items() if not isinstance(answer, Exception)]
        for vm in over:
            if vm in self.memory.held or vm in self.memory.installed:
                self._forget_word(vm)
        held = {vm: self.memory.held[vm].record for vm in over if vm in self.memory.held}
        self._save({vm: it.model_copy(update={"link": None}) for vm, it in held.items()})
        for vm, answer in done.items():
            said = _of_a_link(answer)
            if said:
                yield journal.noted(self.view.now, self.memory.me, vm, said)

    def _leave(self, vm: str, end: float) -> float:
        """The seconds that are left for a link. Raises Conflict, StoreLost."""
        if not self.memory.holds(vm):
            raise Conflict(f"{vm}: another controller is at it")
        left = end - self.world.now()
        if left <= 0:
            raise Conflict(f"{vm}: it took too long")
        return left

    # -- where VMs are

    def _find(self) -> None:
        """Write down where VMs are that are up, as soon as their hosts say so."""
        up = {vm: self.memory.held[vm].record for vm in self._held() if vm not in self.view.down}
        unclear = {vm: r for vm, r in up.items() if r.intent and self._may_be_settled(vm, r.intent)}
        back = {vm: up[vm] for vm in self.back if vm not in unclear}
        if not unclear and not back:
            return
        hosts = {name for r in unclear.values() if r.intent for name in (r.host, r.intent.to)}
        survey = Survey()
        self._ask(survey, hosts | {record.host for record in back.values()})
        where = {vm: _where(vm, record, survey, self.view.now) for vm, record in unclear.items()}
        self._settle({vm: host for vm, host in where.items() if host is not None})
        moved = {vm: r for vm, r in (unclear | back).items() if _is_elsewhere(vm, r, survey)}
        self._find_elsewhere(survey, moved)

    def _may_be_settled(self, vm: str, intent: Intent) -> bool:
        """Whether an open intent is nobody's; a migration is over when it is seen to be."""
        return intent.step == MIGRATE or not self.view.under_way(vm)

    def _find_elsewhere(self, survey: Survey, records: Mapping[str, Record]) -> None:
        """VMs that are up, but not where they should be: the start, or move, came to nothing."""
        self._ask(survey, {name for vm in records for name in self.view.places(vm)})
        copies = {vm: survey.copies(vm) for vm in records}
        self._settle({vm: hosts[0] for vm, hosts in copies.items() if len(hosts) == 1})

    def _settle(self, where: Mapping[str, str]) -> None:
        """Write down where VMs are of which that was not clear."""
        known = {vm: self.memory.held[vm].record for vm in where}
        self._save(
            {
                vm: record.model_copy(update={"intent": None, "host": where[vm]})
                for vm, record in known.items()
            }
        )

    def _ask(self, survey: Survey, hosts: set[str]) -> None:
        known = hosts & self.view.config.physical_hosts.keys()
        survey.ask(self.world, self.view.config, known - survey.running.keys() - survey.lost.keys())


def _install_is_over(view: View, vm: str, record: Record) -> bool:
    """It said so, or it is up again, or its installer was loaded long ago.

    A link that still says `install` when the installer reboots would install for ever.
    """
    if vm in view.memory.installed:
        return True
    elapsed = view.memory.elapsed(vm, record)
    return vm not in view.down or elapsed >= view.config.boot_link


def _of_a_link(answer: object) -> str:
    """What there is to say of a link that was, or was not, put back."""
    if isinstance(answer, ControllerError):
        return f"its boot link may still say install: {answer}"
    if isinstance(answer, Exception):
        raise answer
    return str(answer)


def _link_back(world: World, vm: str, boot: Boot | None, leave: Leave) -> str:
    """Point the link at what the VM boots by declaration, unless somebody has changed it."""
    if boot is None:
        return "it has no boot link any more"
    now = world.booted(vm)
    if now == boot.install:
        world.boot(vm, boot.declared, leave)
        return f"its boot link says {boot.declared} again"
    if now == boot.declared:
        return f"its boot link says {boot.declared}"
    return f"its boot link was switched to {now} by somebody else: left as it is"


def _link_off_install(world: World, vm: str, boot: Boot | None, leave: Leave) -> str:
    """The same for a link of which nobody knows whether it is due; nothing is said if it is not."""
    if boot is None or world.booted(vm) != boot.install:
        return ""
    return _link_back(world, vm, boot, leave)


def _is_elsewhere(vm: str, record: Record, survey: Survey) -> bool:
    """Whether a VM that is up runs neither where it was nor where it was sent."""
    hosts = {record.host, record.intent.to if record.intent else record.host}
    return all(survey.runs(vm, name) is False for name in hosts)


def _where(vm: str, record: Record, survey: Survey, now: float) -> str | None:
    """The host of a VM whose action nobody saw the end of; None as long as nobody is sure.

    A VM that is on its way may be said to run on both hosts, or still on the first one only.
    """
    intent = record.intent
    if intent is None:
        return record.host
    here, there = survey.runs(vm, record.host), survey.runs(vm, intent.to)
    if intent.step != MIGRATE:
        return intent.to if there else record.host if here else None
    if here is False and there:
        return intent.to
    over = now - intent.since > _LONGEST_MOVE
    return record.host if here and there is False and over else None
