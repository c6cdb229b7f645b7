"""What to do with a VM that is down: a finite state machine with hysteresis. Pure.

Source: thesis 7.12, 8.2, 8.5 and the flow chart of its appendix. REBOOT, RESTART, REINSTALL, each
a number of times, each followed by a wait; what was done is forgotten after an hour in which
nothing had to be done. Ours remembers failures longer than that, and waits longer for a machine
that comes and goes.

The machine is the table `ROWS`: `decide` goes through it, `docs/reference/recovery.md` is drawn
from it, and a test goes through every state and guard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from threerc.runtime.config import Policy
from threerc.runtime.records import MIGRATE, Record, State, Step


class Guard(StrEnum):
    """The conditions under which a row of the table holds."""

    LEFT = "it is left to a human"
    FLAPPING = "it has failed, or been through all steps in vain, too often"
    WAITING = "the wait after the last action is not over"
    LIMITED = "there were too many actions within the limit's interval"
    OLD = "the last action is longer ago than the history"
    REBOOT = "REBOOT has a try left"
    RESTART = "RESTART has a try left"
    HOST_DOWN = "its physical host is down, and RESTART is among the steps"
    SNAPSHOT = "SNAPSHOT has a try left, and there are snapshots"
    REINSTALL = "REINSTALL has a try left, INST is 1, and there is an installer"
    OTHERWISE = "otherwise"


class Outcome(StrEnum):
    """What comes of a row: an action, or why there is none."""

    ACT = "act"
    STAY = "stay"
    LEAVE = "leave"
    WAIT = "wait"
    LIMIT = "limit"
    CLEAR = "clear history"
    EXHAUSTED = "begin again"


@dataclass(frozen=True, slots=True)
class Situation:
    """A VM that is down. `elapsed` is seconds since its last action, as far as clocks agree."""

    record: Record
    policy: Policy
    now: float
    elapsed: float
    inst: bool = False
    snapshots: bool = False
    host_down: bool = False
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """In one of `states`, where `guard` holds: the outcome, its step, and the state after it."""

    states: frozenset[State]
    guard: Guard
    outcome: Outcome
    step: Step | None = None
    then: State | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a VM, and why; `climbed`: all steps were tried, and the first is next."""

    outcome: Outcome
    reason: str
    step: Step | None = None
    then: State | None = None
    cleared: bool = False
    climbed: bool = False


_ALL: Final = frozenset(State)
_AFTER: Final = {
    Step.REBOOT: State.REBOOTED,
    Step.RESTART: State.RESTARTED,
    Step.SNAPSHOT: State.RESTORED,
    Step.REINSTALL: State.REINSTALLED,
}
_GUARD_OF: Final = {step: Guard[step.name] for step in Step}


def _ladder() -> tuple[Row, ...]:
    """From each state up: the same step again while it has a try left, or one of those above."""
    rows: list[Row] = []
    below: set[State] = {State.NORMAL}
    for step, state in _AFTER.items():
        below.add(state)
        rows.append(Row(frozenset(below), _GUARD_OF[step], Outcome.ACT, step, state))
        if step is Step.RESTART:
            # Nothing that overwrites its disk is done to a VM because its host has died.
            rows.append(Row(_ALL, Guard.HOST_DOWN, Outcome.ACT, step, state))
    return tuple(rows)


ROWS: Final = (
    Row(_ALL, Guard.LEFT, Outcome.STAY),
    Row(_ALL, Guard.FLAPPING, Outcome.LEAVE),
    Row(_ALL, Guard.WAITING, Outcome.WAIT),
    Row(_ALL, Guard.LIMITED, Outcome.LIMIT),
    Row(_ALL, Guard.OLD, Outcome.CLEAR, then=State.NORMAL),
    *_ladder(),
    # After a reinstallation nothing is left to wait for: the ladder begins anew at once.
    Row(frozenset({State.REINSTALLED}), Guard.OTHERWISE, Outcome.CLEAR, then=State.NORMAL),
    Row(_ALL - {State.REINSTALLED}, Guard.OTHERWISE, Outcome.EXHAUSTED, then=State.NORMAL),
)
"""Read from the top; the first row that holds decides. CLEAR goes on in the state it leads to."""


def decide(situation: Situation) -> Decision:
    """What the table says of a VM that is down."""
    row = next(row for row in ROWS if _holds(row, situation))
    if row.outcome is Outcome.CLEAR:
        top = situation.record.state is State.REINSTALLED
        record = climbed(situation.record) if top else situation.record
        found = decide(_after_clear(situation, forgotten(record)))
        return replace(found, cleared=row.guard is Guard.OLD, climbed=top)
    return Decision(row.outcome, _REASONS[row.outcome](situation), row.step, row.then)


def _after_clear(situation: Situation, record: Record) -> Situation:
    # With nothing to try in NORMAL either, clearing again would go round in circles.
    return replace(situation, record=record, cleared=True)


def _holds(row: Row, situation: Situation) -> bool:
    return situation.record.state in row.states and _GUARDS[row.guard](situation)


def wait(situation: Situation) -> float:
    """Seconds to stand still since the last action: the state's, doubled by each failure."""
    waits = situation.policy.waits
    base = {
        State.NORMAL: waits.reinstall,
        State.REBOOTED: waits.reboot,
        State.RESTARTED: waits.restart,
        State.RESTORED: waits.restart,
        State.REINSTALLED: waits.reinstall,
    }[situation.record.state]
    return base * float(2 ** max(0, _failures(situation) - 1))


def strain(record: Record, policy: Policy, now: float) -> float:
    """The weight of a VM's failures by now: each loses half of it in every half-life.

    Only the time in which it is up counts; else they would fade while the waits for it grow, and
    it would never be left to a human.
    """
    since = now if record.up is None else max(record.up, record.strained)
    passed = max(0.0, now - since)
    return float(record.strain * 0.5 ** (passed / policy.flapping.half_life))


def failed(record: Record, policy: Policy, now: float) -> Record:
    """The record of a VM that was up and is down: one failure more."""
    weight = strain(record, policy, now) + 1
    update = {"strain": weight, "strained": now, "up": None, "fell": record.host, "ladders": 0}
    return record.model_copy(update=update)


def acted(record: Record, step: Step, host: str, policy: Policy, now: float) -> Record:
    """The record of a VM after an action that left it on `host`."""
    state = _AFTER[step]
    since = now - policy.limit.within
    return record.model_copy(
        update={
            "host": host,
            "state": state,
            "tries": record.tries + 1 if state is record.state else 1,
            "last": now,
            "done": record.done + 1,
            "recent": (*(moment for moment in record.recent if moment > since), now),
            "up": None,
        }
    )


def exhausted(record: Record, now: float) -> Record:
    """The record of a VM for which every step was tried: after a long wait it begins again."""
    update = {"last": now, "done": record.done + 1}
    return forgotten(climbed(record)).model_copy(update=update)


def climbed(record: Record) -> Record:
    """The record of a VM that all steps have not brought back; the last one may have, before."""
    in_vain = record.last > record.strained
    return record.model_copy(update={"ladders": record.ladders + in_vain})


def uncounted(record: Record) -> Record:
    """The record without its last try, where that was begun and nobody knows how it ended.

    The wait after it is kept, but nothing worse may be done because of it.
    """
    intent = record.intent
    if intent is None or intent.step == MIGRATE or _AFTER[Step(intent.step)] is not record.state:
        return record
    return record.model_copy(update={"tries": max(0, record.tries - 1)})


def forgotten(record: Record) -> Record:
    """The record of a VM whose history is cleared."""
    return record.model_copy(update={"state": State.NORMAL, "tries": 0})


def _failures(situation: Situation) -> int:
    return round(strain(situation.record, situation.policy, situation.now))


def _limited(situation: Situation) -> bool:
    limit = situation.policy.limit
    since = situation.now - limit.within
    return sum(moment > since for moment in situation.record.recent) >= limit.restarts


def _try_left(situation: Situation, step: Step) -> bool:
    tries = getattr(situation.policy.steps, step.value.lower())
    done = situation.record.tries if situation.record.state is _AFTER[step] else 0
    return bool(done < tries)


_GUARDS: Final[dict[Guard, Callable[[Situation], bool]]] = {
    Guard.LEFT: lambda s: bool(s.record.left),
    Guard.FLAPPING: lambda s: _failures(s) + s.record.ladders >= s.policy.flapping.give_up,
    Guard.WAITING: lambda s: not s.cleared and s.elapsed <= wait(s),
    Guard.LIMITED: _limited,
    Guard.OLD: lambda s: not s.cleared and s.elapsed >= s.policy.history,
    Guard.REBOOT: lambda s: _try_left(s, Step.REBOOT),
    Guard.RESTART: lambda s: _try_left(s, Step.RESTART),
    Guard.HOST_DOWN: lambda s: s.host_down and s.policy.steps.restart > 0,
    Guard.SNAPSHOT: lambda s: s.snapshots and _try_left(s, Step.SNAPSHOT),
    Guard.REINSTALL: lambda s: s.inst and _try_left(s, Step.REINSTALL),
    Guard.OTHERWISE: lambda _: True,
}


def _why_wait(situation: Situation) -> str:
    left = max(0.0, wait(situation) - situation.elapsed)
    state = situation.record.state
    done = "back at its first step" if state is State.NORMAL else state.value
    slower = _failures(situation) - 1
    times = f" {slower} times" if slower > 1 else ""
    more = f", doubled{times} since it keeps failing" if slower > 0 else ""
    return f"{done} {situation.elapsed:.0f} s ago; waits {left:.0f} s more{more}"


def _why_limit(situation: Situation) -> str:
    limit = situation.policy.limit
    return f"{limit.restarts} actions within {limit.within} s: no more for now"


def _why_leave(situation: Situation) -> str:
    failures, ladders = _failures(situation), situation.record.ladders
    said = [f"it failed {failures} times in short order"] if failures > 1 or not ladders else []
    said += [f"all steps were tried {ladders} times and it never came up"] if ladders > 1 else []
    said += ["all steps were tried in vain"] if ladders == 1 else []
    return f"left to a human (3rc resume): {', and '.join(said)}"


def _why_act(situation: Situation) -> str:
    record = situation.record
    if situation.cleared or record.state is State.NORMAL:
        return "down"
    return f"still down after it was {record.state.value}"


_REASONS: Final[dict[Outcome, Callable[[Situation], str]]] = {
    Outcome.ACT: _why_act,
    Outcome.STAY: lambda s: s.record.left,
    Outcome.LEAVE: _why_leave,
    Outcome.WAIT: _why_wait,
    Outcome.LIMIT: _why_limit,
    Outcome.EXHAUSTED: lambda _: "every step that it may take was tried; begins again after a wait",
}
