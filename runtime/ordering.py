"""Where each VM goes that is to be started, and where it has to be dead before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

from threerc.runtime.actions import Order
from threerc.runtime.errors import Conflict
from threerc.runtime.journal import Case
from threerc.runtime.placement import place
from threerc.runtime.records import Record, Step
from threerc.runtime.recovery import Outcome
from threerc.runtime.round import Plan, Round
from threerc.runtime.survey import Survey

_OVERWRITES: Final = frozenset({Step.SNAPSHOT, Step.REINSTALL})
_PLACED: Final = frozenset({Step.RESTART, Step.SNAPSHOT, Step.REINSTALL})


class Orderer:
    """The orders of one tick. Of `links` it is due that they go back before a VM boots."""

    def __init__(self, turn: Round, links: Collection[str]) -> None:
        self.turn = turn
        self.links = links
        self.view = turn.view
        self.config = turn.config
        self.survey = Survey()
        self.waiting: list[tuple[Case, Record]] = []

    def run(self, plans: Mapping[str, Plan]) -> dict[str, Order]:
        """Where each VM goes, and where it has to be killed first."""
        if not plans:
            return {}
        placed = [vm for vm, plan in plans.items() if plan.decision.step in _PLACED]
        survey = self.survey
        if placed and self.turn.act:
            survey.ask(self.turn.world, self.view.config, self._of_interest(placed))
        seen = {vm: survey.copies(vm) for vm in self.view.unread}
        hosts = self.view.hosts(placed, survey.lost, seen)
        for vm, choice in place(map(self.view.request, placed), hosts).items():
            plans[vm].choice = choice
            plans[vm].case.refused = choice.refused
        if self.turn.act:
            moving = [vm for vm in placed if plans[vm].choice.host]
            hosts_of = (self._origins(plans[vm]) + self._elsewhere(plans[vm]) for vm in moving)
            survey.fence(self.turn, {name for each in hosts_of for name in each})
        orders = {vm: self._order(plan) for vm, plan in plans.items()}
        self.turn.save(self.waiting)
        return {vm: order for vm, order in orders.items() if order is not None}

    def _of_interest(self, vms: list[str]) -> set[str]:
        """The hosts that may run one of these VMs, or did last; or one of which nobody knows."""
        found = {self.view.owners[vm] for vm in vms}
        for vm in (*vms, *self.view.unread):
            found.update(name for name in self.view.places(vm) if name not in self.view.down)
        for vm in vms:
            found.update(self.view.fell_with(vm))
        found.update(
            i.to for vm in vms if (i := self.turn.memory.held[vm].record.intent) is not None
        )
        return found & self.config.physical_hosts.keys()

    def _origins(self, plan: Plan) -> tuple[str, ...]:
        """Where a VM was last, and where somebody may have begun to start it."""
        record = plan.case.before
        hosts = (record.host, record.intent.to if record.intent else record.host)
        return tuple(name for name in dict.fromkeys(hosts) if name in self.config.physical_hosts)

    def _elsewhere(self, plan: Plan) -> tuple[str, ...]:
        """Lost hosts on which a VM may be that does not run where it should by the record.

        Its own hosts deny it, no other one has it, and these fell silent when it did.
        """
        vm, survey = plan.case.vm, self.survey
        denied = all(name in survey.running for name in self._origins(plan))
        if not denied or survey.copies(vm):
            return ()
        return tuple(name for name in self.view.fell_with(vm) if name in survey.lost)

    def _order(self, plan: Plan) -> Order | None:
        """The order for a VM, or None where it has to wait, with the reason in its case."""
        case, step, survey = plan.case, plan.decision.step, self.survey
        assert step is not None  # noqa: S101 - only such plans get here
        leave = partial(self._leave, case.vm)
        if step is Step.REBOOT:
            return Order(case.vm, step, case.before.host, (), leave, case.vm in self.links)
        to = plan.choice.host
        if to is None:
            case.reason = "no physical host can take it: " + self._why(plan.choice.refused)
            self._wait(plan)
            return None
        origins = self._origins(plan)
        elsewhere = self._elsewhere(plan)
        doubt = self._doubt(step, origins) or self._doubt_of(elsewhere)
        if doubt:
            case.reason = f"{step} waits: {doubt}"
            self._wait(plan)
            return None
        notes = [survey.dead[name] for name in origins if name in survey.dead]
        notes += [f"had it been moved to {name}: {survey.dead[name]}" for name in elsewhere]
        case.reason = "; ".join([case.reason, *notes])
        where = dict.fromkeys((*origins, *survey.copies(case.vm), to))
        kill_on = tuple(name for name in where if name not in survey.dead)
        behind = tuple(name for name in (*origins, *elsewhere) if name in survey.dead)
        return Order(case.vm, step, to, kill_on, leave, case.vm in self.links, behind)

    def _doubt(self, step: Step, origins: tuple[str, ...]) -> str:
        """Why a VM may not be touched yet, or nothing."""
        for name in origins:
            if name in self.survey.doubt:
                return self.survey.doubt[name]
            if name in self.survey.lost and step in _OVERWRITES:
                return f"{name} does not answer, so that the failure may be the host's own"
        if not origins:
            return "it was last on a host that the site does not have (`3rc resume` takes it home)"
        return ""

    def _doubt_of(self, elsewhere: tuple[str, ...]) -> str:
        for name in elsewhere:
            if name in self.survey.doubt:
                return f"it may have been moved to {name}: {self.survey.doubt[name]}"
        return ""

    def _wait(self, plan: Plan) -> None:
        case = plan.case
        case.outcome, case.cleared = Outcome.WAIT, False
        if self.turn.act and case.after != case.before:
            self.waiting.append((case, case.after))

    def _why(self, refused: Mapping[str, str]) -> str:
        """Why each host was refused; and what the first said that is up, but cannot be asked."""
        each = ", ".join(f"{name} ({why})" for name, why in refused.items()) or "none is allowed"
        lost = (name for name in refused if name in self.survey.lost.keys() - self.view.down)
        said = [self.survey.lost[name] for name in lost]
        return "; ".join([each, *said[:1]])

    def _leave(self, vm: str) -> float:
        """The seconds that an action may still take. Raises Conflict, StoreLost."""
        holds = self.turn.memory.holds(vm)
        # Looked at after the shared state, which may hang.
        left = self.turn.now + self.config.deadline - self.turn.world.now()
        if not holds or left <= 0:
            raise Conflict(f"{vm}: another controller has taken over, or it took too long")
        return left
