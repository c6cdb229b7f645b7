"""One tick: observe, decide, place, act, record.

Source: thesis 7.3-7.14, 8 and appendix. For every VM that is down a tick says what it did, or why
it did nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from threerc.runtime import journal, recovery
from threerc.runtime.actions import Done, Order, carry_out
from threerc.runtime.brake import Braked, judge
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Conflict, ControllerError, MonitorLost
from threerc.runtime.journal import Case
from threerc.runtime.memory import ALL, Memory
from threerc.runtime.observation import Observation
from threerc.runtime.placement import Choice, place
from threerc.runtime.records import Intent, Record, Step
from threerc.runtime.recovery import Decision, Outcome, Situation
from threerc.runtime.survey import Survey
from threerc.runtime.upkeep import keep_up
from threerc.runtime.view import View
from threerc.runtime.world import World

_PLACED: Final = frozenset({Step.RESTART, Step.SNAPSHOT, Step.REINSTALL})


@dataclass
class Report:
    """What came of a tick. `standstill` is why nothing was done at all, or empty."""

    time: float
    observation: Observation | None = None
    standstill: str = ""
    cases: list[Case] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)


_NOWHERE: Final = Choice(None, {})


@dataclass
class _Plan:
    """A VM for which the ladder may have a step. `ready` is its record before the step."""

    case: Case
    decision: Decision
    ready: Record
    choice: Choice = _NOWHERE


def tick(world: World, config: ControllerConfig, me: str, *, act: bool = True) -> Report:
    """Look once at the whole site and do what is to be done; `me` is this controller's host.

    Without `act` nothing is done or written, only said. Raises StoreLost: without the shared
    state nothing is known, and nothing is done.
    """
    now = world.now()
    report = Report(now)
    memory = Memory(world.store, world.zone, me, now)
    memory.load()
    try:
        report.observation = world.observe()
    except MonitorLost as error:
        report.standstill = f"no monitor has fresh data: {error}"
        report.events.append(journal.standstill(now, me, report.standstill))
        _say(world, report, act)
        return report
    view = View(config, memory, report.observation, now)
    _Tick(world, view, report, act).run()
    return report


def _say(world: World, report: Report, act: bool) -> None:
    """Write the logs, and notify of all but waits."""
    lines = [line for case in report.cases for line in case.lines(report.time, world.zone)]
    if not act:
        return
    if lines or report.events:
        world.store.log(lines, report.events)
    loud = [event for event in report.events if event["kind"] != "wait"]
    if loud:
        world.tell(loud)


class _Tick:
    def __init__(self, world: World, view: View, report: Report, act: bool) -> None:
        self.world = world
        self.view = view
        self.config = view.config
        self.memory = view.memory
        self.report = report
        self.act = act
        self.now = view.now
        self.me = view.memory.me

    def run(self) -> None:
        """The whole tick."""
        view = self.view
        for vm in view.down_vms:
            if view.known(vm):
                self.memory.record(vm, self.config.virtual_machines[vm].home)
        if self.act:
            self.report.events += keep_up(self.world, view)
        self.report.standstill = self._brake()
        if self.report.standstill:
            self._stand_still()
        else:
            self._recover()
        if self.act:
            self.memory.note(view.absent)
        events = [case.event(self.now, self.me) for case in self.report.cases]
        self.report.events += events
        _say(self.world, self.report, self.act)

    # -- the brake

    def _brake(self) -> str:
        """Why nothing may be done in this tick, or nothing."""
        view, source = self.view, self.view.observation.host
        own = view.observation.hosts.get(source)
        if own is not None and own.down(self.config.monitors.down_after):
            return (
                f"{source} tells of all others, but has not heard of itself for {own.silent:.0f} s"
            )
        braked = judge(self.config.brake, self.memory.brake, view.silence(), self.now)
        if self.act:
            self._set_brake(braked)
        if braked is None or braked.released:
            return ""
        return f"{braked.reason}: nothing is done until it clears, or `3rc release`"

    def _set_brake(self, braked: Braked | None) -> None:
        before = self.memory.brake
        try:
            self.memory.set_brake(braked)
        except Conflict:
            return  # the other controller has just judged the same
        if before is not None and braked is None:
            self._note("*", "the brake is off: what had gone silent is back, or was too little")

    def _note(self, vm: str, reason: str) -> None:
        self.report.events.append(journal.noted(self.now, self.me, vm, reason))

    def _stand_still(self) -> None:
        reason = self.report.standstill
        self.report.events.append(journal.standstill(self.now, self.me, reason))
        for vm in self.view.down_vms:
            self.report.cases.append(self._idle(vm, f"stands still: {reason}"))

    # -- decide

    def _idle(self, vm: str, reason: str, *, silent: bool = True) -> Case:
        """A VM for which nothing is done."""
        known = self.memory.held.get(vm)
        record = known.record if known else Record(host=self.config.virtual_machines[vm].home)
        return Case(vm, record, record, reason, silent=silent)

    def _recover(self) -> None:
        plans: dict[str, _Plan] = {}
        answering = self._answering()
        for vm in self.view.down_vms:
            why_not = self._hands_off(vm)
            if vm in answering:
                why_not = why_not or "the monitor has lost it, but it answers when asked directly"
            if why_not:
                self.report.cases.append(self._idle(vm, why_not))
                continue
            plan = self._decide(vm)
            self.report.cases.append(plan.case)
            if plan.decision.step is not None:
                plans[vm] = plan
        orders = self._orders(plans)
        if self.act:
            self._carry_out(plans, orders)

    def _answering(self) -> frozenset[str]:
        if self.config.monitors.probe == "none":
            return frozenset()
        return self.world.answers(self.view.down_vms)

    def _hands_off(self, vm: str) -> str:
        """Why a VM that is down is none of the controllers' business, or nothing."""
        paused = self.memory.paused
        for name in (ALL, vm):
            if name in paused:
                return "paused by an operator" + (f": {paused[name]}" if paused[name] else "")
        if not self.view.known(vm):
            return "never seen by the monitor: it has to be started a first time"
        return ""

    def _decide(self, vm: str) -> _Plan:
        """What the state machine says of a VM, unless somebody is at it, or it has to wait."""
        settings = self.config.virtual_machines[vm]
        policy = self.config.policy(settings)
        record = self.memory.held[vm].record
        elapsed = self.memory.elapsed(vm, record)
        intent = record.intent
        if intent is not None and elapsed <= 2 * self.config.deadline:
            reason = f"{intent.by} is at it: {intent.step} on {intent.to}"
            return _Plan(
                self._idle(vm, reason, silent=False), Decision(Outcome.WAIT, reason), record
            )
        if record.up is not None:
            record = recovery.failed(record, policy, self.now)
        situation = Situation(
            record, policy, self.now, elapsed, settings.inst == 1, settings.snapshots is not None
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
        return _Plan(case, decision, case.after)

    def _waits_for(self, vm: str) -> str:
        """A VM that this one starts after, and that is still being recovered."""
        for other in self.config.virtual_machines[vm].start_after:
            held = self.memory.held.get(other)
            given_up = held is not None and bool(held.record.left)
            if other in self.view.down and not given_up and not self._hands_off(other):
                return other
        return ""

    def _settle(self, case: Case, decision: Decision) -> None:
        """Remember what needs no action: a new failure, a ladder that is at its end."""
        record = case.after
        if decision.outcome is Outcome.LEAVE:
            record = record.model_copy(update={"left": decision.reason})
        elif decision.outcome is Outcome.EXHAUSTED:
            record = recovery.exhausted(record, self.now)
        case.after = record
        if self.act and decision.step is None and record != case.before:
            self._save(case, record)

    def _save(self, case: Case, record: Record) -> bool:
        try:
            self.memory.save(case.vm, record)
        except Conflict:
            case.reason = "another controller was quicker"
            case.after, case.step, case.outcome = case.before, None, Outcome.WAIT
            return False
        case.after = record
        return True

    # -- place

    def _orders(self, plans: Mapping[str, _Plan]) -> dict[str, Order]:
        """Where each VM goes, and where it has to be killed first."""
        placed = [vm for vm, plan in plans.items() if plan.decision.step in _PLACED]
        survey = Survey()
        if placed and self.act:
            survey.ask(self.world, self._of_interest(placed), self.config.deadline)
        hosts = self.view.hosts(placed, survey.lost)
        for vm, choice in place(map(self.view.request, placed), hosts).items():
            plans[vm].choice = choice
            plans[vm].case.refused = choice.refused
        if self.act:
            moving = [vm for vm in placed if plans[vm].choice.host]
            origins = {host for vm in moving for host in self._origins(plans[vm])}
            survey.fence(self.world, self.view, origins)
        orders = {vm: self._order(plan, survey) for vm, plan in plans.items()}
        return {vm: order for vm, order in orders.items() if order is not None}

    def _of_interest(self, vms: list[str]) -> set[str]:
        """The hosts that may run one of these VMs, or did last."""
        found = {self.view.owners[vm] for vm in vms}
        for vm in vms:
            allowed = self.config.allowed_hosts(self.config.virtual_machines[vm])
            found.update(name for name in allowed if name not in self.view.down)
        found.update(i.to for vm in vms if (i := self.memory.held[vm].record.intent) is not None)
        return found & self.config.physical_hosts.keys()

    def _origins(self, plan: _Plan) -> tuple[str, ...]:
        """Where a VM was last, and where somebody may have begun to start it."""
        record = plan.case.before
        hosts = (record.host, record.intent.to if record.intent else record.host)
        return tuple(name for name in dict.fromkeys(hosts) if name in self.config.physical_hosts)

    def _order(self, plan: _Plan, survey: Survey) -> Order | None:
        """The order for a VM, or None where it has to wait, with the reason in its case."""
        case, step = plan.case, plan.decision.step
        assert step is not None  # noqa: S101 - only such plans get here
        valid = partial(self._valid, case.vm)
        if step is Step.REBOOT:
            return Order(case.vm, step, case.before.host, (), valid)
        to = plan.choice.host
        if to is None:
            case.reason = "no physical host can take it: " + _why(plan.choice.refused)
            self._wait(plan)
            return None
        origins = self._origins(plan)
        doubt = [survey.doubt[name] for name in origins if name in survey.doubt]
        if doubt:
            case.reason = f"{step} waits: {doubt[0]}"
            self._wait(plan)
            return None
        notes = [survey.dead[name] for name in origins if name in survey.dead]
        case.reason = "; ".join([case.reason, *notes])
        where = dict.fromkeys((*origins, *survey.copies(case.vm), to))
        kill_on = tuple(name for name in where if name not in survey.dead)
        return Order(case.vm, step, to, kill_on, valid)

    def _wait(self, plan: _Plan) -> None:
        case = plan.case
        case.outcome, case.cleared = Outcome.WAIT, False
        if self.act and case.after != case.before:
            self._save(case, case.after)

    def _valid(self, vm: str) -> bool:
        """Whether this controller may go on with an action that it has begun."""
        in_time = self.world.now() < self.now + self.config.deadline
        return in_time and self.memory.holds(vm)

    # -- act and record

    def _carry_out(self, plans: Mapping[str, _Plan], orders: Mapping[str, Order]) -> None:
        begun = {vm: order for vm, order in orders.items() if self._begin(plans[vm], order)}
        jobs = {
            vm: partial(carry_out, self.world, self.config, order) for vm, order in begun.items()
        }
        for vm, done in self.world.together(jobs, self.config.deadline).items():
            if isinstance(done, ControllerError):
                # Its intent stays in the record: whoever acts next kills it on both hosts.
                case = plans[vm].case
                case.reason = f"{case.reason}; it is not known how that ended: {done}"
            elif isinstance(done, Exception):
                raise done
            else:
                self._end(plans[vm], done)

    def _begin(self, plan: _Plan, order: Order) -> bool:
        """Write down what is going to be done, as if it were; False where somebody was quicker."""
        case = plan.case
        policy = self.config.policy(self.config.virtual_machines[case.vm])
        record = recovery.forgotten(case.after) if plan.decision.cleared else case.after
        record = recovery.acted(record, order.step, record.host, policy, self.now)
        intent = Intent(step=order.step, to=order.to, by=self.me, since=self.now)
        update: dict[str, Any] = {"intent": intent}
        if order.step is Step.REINSTALL:
            update["link"] = self.now
        if not self._save(case, record.model_copy(update=update)):
            return False
        case.step, case.to = order.step, order.to
        return True

    def _end(self, plan: _Plan, done: Done) -> None:
        """Write down what was done."""
        case = plan.case
        if done.note:
            case.reason = f"{case.reason}; {done.note}"
        if done.host is None:
            # Nothing was started: the step counts as not tried.
            case.step, case.to, case.outcome, case.cleared = None, "", Outcome.WAIT, False
            self._save_end(case, plan.ready.model_copy(update={"link": case.after.link}))
            return
        update: dict[str, Any] = {"host": done.host, "intent": None}
        if done.failed:
            update["avoid"] = tuple(dict.fromkeys((*case.after.avoid, done.host)))
        self._save_end(case, case.after.model_copy(update=update))

    def _save_end(self, case: Case, record: Record) -> None:
        step, to = case.step, case.to
        if not self._save(case, record):
            case.reason = "another controller took over before the action was over"
            case.step, case.to = step, to


def _why(refused: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in refused.items()) or "none is allowed"
