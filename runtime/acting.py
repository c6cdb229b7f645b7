"""Orders carried out: the intent is written before, the outcome after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from threerc.runtime import recovery
from threerc.runtime.actions import Done, Order, carry_out
from threerc.runtime.errors import ControllerError
from threerc.runtime.journal import Case
from threerc.runtime.records import Intent, Record, Step
from threerc.runtime.recovery import Outcome
from threerc.runtime.round import Plan, Round


class Actor:
    """The actions of one tick."""

    def __init__(self, turn: Round) -> None:
        self.turn = turn
        self.config = turn.config

    def run(self, plans: Mapping[str, Plan], orders: Mapping[str, Order]) -> None:
        """Carry the orders out, those on different VMs at the same time."""
        begun = {vm: order for vm, order in orders.items() if self._begin(plans[vm], order)}
        jobs = {
            vm: partial(carry_out, self.turn.world, self.config, order)
            for vm, order in begun.items()
        }
        hosts = {vm: order.to for vm, order in begun.items()}
        for vm, done in self.turn.world.together(jobs, self.config.deadline, hosts).items():
            if isinstance(done, ControllerError):
                # Its intent stays in the record: whoever acts next kills it on both hosts.
                case = plans[vm].case
                case.reason = f"{case.reason}; it is not known how that ended: {done}"
            elif isinstance(done, Exception):
                raise done
            else:
                self._end(plans[vm], done)

    def _begin(self, plan: Plan, order: Order) -> bool:
        """Write down what is going to be done, as if it were; False where somebody was quicker."""
        case = plan.case
        record = self._acted(plan, order.step)
        intent = Intent(step=order.step, to=order.to, by=self.turn.memory.me, since=self.turn.now)
        if order.step is Step.REBOOT:
            intent = _of_a_start(record.intent) or intent
        behind = dict.fromkeys((*record.behind, *order.behind))
        behind.pop(order.to, None)
        update: dict[str, Any] = {"intent": intent, "behind": tuple(behind)}
        if order.step is Step.REINSTALL:
            update["link"] = self.turn.now
        if not self.turn.save(case, record.model_copy(update=update)):
            return False
        case.step, case.to = order.step, order.to
        return True

    def _acted(self, plan: Plan, step: Step) -> Record:
        """The record after a step, on the host on which the VM was."""
        policy = self.config.policy(self.config.virtual_machines[plan.case.vm])
        record = plan.counted
        if plan.decision.climbed:
            record = recovery.climbed(record)
        if plan.decision.cleared:
            record = recovery.forgotten(record)
        return recovery.acted(record, step, record.host, policy, self.turn.now)

    def _end(self, plan: Plan, done: Done) -> None:
        """Write down what was done."""
        case = plan.case
        if done.note:
            case.reason = f"{case.reason}; {done.note}"
        if done.host is None:
            # Nothing was started: the step counts as not tried.
            case.step, case.to, case.outcome, case.cleared = None, "", Outcome.WAIT, False
            self._save_end(case, plan.ready.model_copy(update={"link": case.after.link}))
            return
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
        self._save_end(case, record.model_copy(update=update))

    def _another_host(self, vm: str, avoid: tuple[str, ...]) -> bool:
        """Whether some host may still take a VM on which it was not tried yet."""
        allowed = self.config.allowed_hosts(self.config.virtual_machines[vm])
        return any(name not in avoid for name in allowed)

    def _save_end(self, case: Case, record: Record) -> None:
        step, to = case.step, case.to
        if not self.turn.save(case, record):
            case.reason = "another controller took over before the action was over"
            case.step, case.to = step, to


def _of_a_start(intent: Intent | None) -> Intent | None:
    """An intent to start a VM somewhere: a reboot does not tell whether a copy is there."""
    return None if intent is None or intent.step == Step.REBOOT else intent
