"""What is to be done with each VM that is down, or why nothing is."""

from __future__ import annotations

from threerc.runtime import recovery
from threerc.runtime.errors import MonitorLost
from threerc.runtime.journal import Case
from threerc.runtime.memory import ALL
from threerc.runtime.records import Record
from threerc.runtime.recovery import Decision, Outcome, Situation
from threerc.runtime.round import Plan, Round
from threerc.runtime.world import Probed


class Decider:
    """The decisions of one tick."""

    def __init__(self, turn: Round) -> None:
        self.turn = turn
        self.view = turn.view
        self.config = turn.config
        self.memory = turn.memory
        self.settled: list[tuple[Case, Record]] = []

    def run(self) -> dict[str, Plan]:
        """A case for each VM that is down; the plans for those for which there is a step."""
        plans: dict[str, Plan] = {}
        unconfirmed = self._unconfirmed()
        for vm in self.view.down_vms:
            why_not = self._hands_off(vm) or unconfirmed.get(vm)
            if why_not:
                self.turn.report.cases.append(self.turn.idle(vm, why_not))
                continue
            plan = self._decide(vm)
            self.turn.report.cases.append(plan.case)
            if plan.decision.step is not None:
                plans[vm] = plan
        self.turn.save(self.settled)
        return plans

    def _unconfirmed(self) -> dict[str, str]:
        """Why VMs may be alive all the same, where the site wants them to be asked directly."""
        vms = self.view.down_vms
        if self.config.monitors.probe == "none" or not vms:
            return {}
        try:
            probed = self.turn.world.answers(vms)
        except MonitorLost as error:
            probed = Probed(frozenset(), dict.fromkeys(vms, str(error)))
        self.turn.probed = probed
        alive = "the monitor has lost it, but it answers when asked directly"
        cannot = "it cannot be asked whether it is dead"
        doubts = {vm: f"{cannot}: {why}" for vm, why in probed.unasked.items()}
        return {**dict.fromkeys(probed.answer, alive), **doubts}

    def _hands_off(self, vm: str) -> str:
        """Why a VM that is down is none of the controllers' business, or nothing."""
        unreadable = self.view.unreadable(vm)
        if unreadable:
            return unreadable
        paused = self.memory.paused
        for name in (ALL, vm):
            if name in paused:
                return "paused by an operator" + (f": {paused[name]}" if paused[name] else "")
        if not self.view.known(vm):
            return "never seen by the monitor: it has to be started a first time"
        forgotten = self.view.forgotten(vm)
        if forgotten is not None:
            return (
                f"the monitor does not know it, for {forgotten:.0f} s now: it may have begun anew"
            )
        return ""

    def _decide(self, vm: str) -> Plan:
        """What the state machine says of a VM, unless somebody is at it, or it has to wait."""
        settings = self.config.virtual_machines[vm]
        policy = self.config.policy(settings)
        record = self.memory.held[vm].record
        elapsed = self.memory.elapsed(vm, record)
        intent = self.view.under_way(vm)
        if intent is not None:
            reason = f"{intent.by} is at it: {intent.step} on {intent.to}"
            idle = self.turn.idle(vm, reason, silent=False)
            return Plan(idle, Decision(Outcome.WAIT, reason), record, record)
        if record.up is not None:
            record = recovery.failed(record, policy, self.turn.now)
        counted = recovery.uncounted(record)
        situation = Situation(
            counted,
            policy,
            self.turn.now,
            elapsed,
            settings.inst == 1 and settings.boot is not None and settings.boot.install is not None,
            settings.snapshots is not None,
            record.host in self.view.down,
        )
        decision = recovery.decide(situation)
        case = Case(vm, self.memory.held[vm].record, record, decision.reason, decision.outcome)
        case.cleared = decision.cleared
        waits_for = self._waits_for(vm)
        if decision.step is not None and waits_for:
            case.reason = f"waits for {waits_for}, after which it starts"
            case.outcome, case.cleared = Outcome.WAIT, False
            decision = Decision(Outcome.WAIT, case.reason)
        self._settle(case, decision)
        return Plan(case, decision, case.after, counted)

    def _waits_for(self, vm: str) -> str:
        """A VM that this one starts after, and that is still being recovered."""
        alive = self.turn.probed.answer
        for other in self.config.virtual_machines[vm].start_after:
            held = self.memory.held.get(other)
            given_up = held is not None and bool(held.record.left)
            down = other in self.view.down and other not in alive
            if down and not given_up and not self._hands_off(other):
                return other
        return ""

    def _settle(self, case: Case, decision: Decision) -> None:
        """Remember what needs no action: a new failure, a ladder that is at its end."""
        record = case.after
        if decision.outcome is Outcome.LEAVE:
            record = record.model_copy(update={"left": decision.reason})
        elif decision.outcome is Outcome.EXHAUSTED:
            record = recovery.exhausted(record, self.turn.now)
        case.after = record
        if self.turn.act and decision.step is None and record != case.before:
            self.settled.append((case, record))
