"""Orders carried out: the intent is written before, the outcome after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from threerc.runtime import recovery
from threerc.runtime.actions import Done, Order, carry_out
from threerc.runtime.errors import ControllerError
from threerc.runtime.journal import Case
from threerc.runtime.records import Intent, Record, Step
from threerc.runtime.recovery import Outcome
from threerc.runtime.round import Plan, Round
from threerc.runtime.saving import QUICKER

_NOT_ENDED: Final = {QUICKER: "another controller took over before the action was over"}


class Actor:
    """The actions of one tick."""

    def __init__(self, turn: Round) -> None:
        self.turn = turn
        self.config = turn.config

    def run(self, plans: Mapping[str, Plan], orders: Mapping[str, Order]) -> None:
        """Carry the orders out, those on different VMs at the same time."""
        begun = self._begin(plans, orders)
        jobs = {
            vm: partial(carry_out, self.turn.world, self.config, order)
            for vm, order in begun.items()
        }
        hosts = {vm: order.to for vm, order in begun.items()}
        ends: list[tuple[Case, Record]] = []
        for vm, done in self.turn.world.together(jobs, self.config.deadline, hosts).items():
            if isinstance(done, ControllerError):
                # Its intent stays in the record: whoever acts next kills it on both hosts.
                case = plans[vm].case
                case.reason = f"{case.reason}; it is not known how that ended: {done}"
            elif isinstance(done, Exception):
                raise done
            else:
                ends.append((plans[vm].case, self._end(plans[vm], done)))
        self._save(ends)

    def _begin(self, plans: Mapping[str, Plan], orders: Mapping[str, Order]) -> dict[str, Order]:
        """Write down what is going to be done, as if it were; the orders of which it is."""
        written = self.turn.save(
            (plans[vm].case, self._begun(plans[vm], order)) for vm, order in orders.items()
        )
        begun = {vm: order for vm, order in orders.items() if vm in written}
        for vm, order in begun.items():
            plans[vm].case.step, plans[vm].case.to = order.step, order.to
        return begun

    def _begun(self, plan: Plan, order: Order) -> Record:
        """The record of a VM whose order is being carried out."""
        record = self._acted(plan, order.step)
        intent = Intent(step=order.step, to=order.to, by=self.turn.memory.me, since=self.turn.now)
        if order.step is Step.REBOOT:
            intent = _of_a_start(record.intent) or intent
        behind = dict.fromkeys((*record.behind, *order.behind))
        behind.pop(order.to, None)
        update: dict[str, Any] = {"intent": intent, "behind": tuple(behind)}
        if order.step is Step.REINSTALL:
            update["link"] = self.turn.now
        return record.model_copy(update=update)

    def _acted(self, plan: Plan, step: Step) -> Record:
        """The record after a step, on the host on which the VM was."""
        policy = self.config.policy(self.config.virtual_machines[plan.case.vm])
        record = plan.counted
        if plan.decision.climbed:
            record = recovery.climbed(record)
        if plan.decision.cleared:
            record = recovery.forgotten(record)
        return recovery.acted(record, step, record.host, policy, self.turn.now)

    def _end(self, plan: Plan, done: Done) -> Record:
        """The record of a VM after what was done."""
        case = plan.case
        if done.note:
            case.reason = f"{case.reason}; {done.note}"
        if done.host is None:
            # Nothing was started: the step counts as not tried.
            case.step, case.to, case.outcome, case.cleared = None, "", Outcome.WAIT, False
            return plan.ready.model_copy(update={"link": case.after.link})
        record = case.after
        if done.step is not None:
            case.step = done.step
            # Some server may have switched the link all the same.
            kept = {"link": record.link, "behind": record.behind}
            record = self._acted(plan, done.step).model_copy(update=kept)
        still_open = _of_a_start(plan.ready.intent) if case.step is Step.REBOOT else None
        update: dict[str, Any] = {"intent": still_open}
        if not done.refused:  # or it is not there, and may live on where it was
            update["host"] = done.host
        if done.failed:
            others = (name for name in record.avoid if name != done.host)
            update["avoid"] = (*others, done.host)
            if done.refused and self._another_host(case.vm, update["avoid"]):
                # The host's fault, not the VM's: the same step goes on elsewhere.
                update["tries"] = max(0, record.tries - 1)
        return record.model_copy(update=update)

    def _another_host(self, vm: str, avoid: tuple[str, ...]) -> bool:
        """Whether some host may still take a VM on which it was not tried yet."""
        allowed = self.config.allowed_hosts(self.config.virtual_machines[vm])
        return any(name not in avoid for name in allowed)

    def _save(self, ends: Sequence[tuple[Case, Record]]) -> None:
        """Write down what was done."""
        acted = {case.vm: (case.step, case.to) for case, _ in ends}
        written = self.turn.save(ends)
        for case, _ in ends:
            if case.vm not in written:
                case.step, case.to = acted[case.vm]
                case.reason = _NOT_ENDED.get(case.reason, case.reason)


def _of_a_start(intent: Intent | None) -> Intent | None:
    """An intent to start a VM somewhere: a reboot does not tell whether a copy is there."""
    return None if intent is None or intent.step == Step.REBOOT else intent
