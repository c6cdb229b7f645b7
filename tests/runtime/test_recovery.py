"""The state machine: its table, every state with every guard, and what must hold on every path."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from threerc.runtime import recovery
from threerc.runtime.config import Flapping, Policy, RestartLimit, Steps, Waits
from threerc.runtime.records import FLAGS, Record, State, Step
from threerc.runtime.recovery import ROWS, Guard, Outcome, Situation, acted, decide, failed

THESIS = Policy(
    steps=Steps(reboot=1, restart=1, reinstall=1),
    waits=Waits(reboot=200, restart=200, reinstall=600),
    history=3600,
    limit=RestartLimit(restarts=5, within=3600),
)
NOW = 1_000_000.0
STEPS = st.builds(
    Steps,
    reboot=st.integers(0, 3),
    restart=st.integers(0, 3),
    snapshot=st.integers(0, 2),
    reinstall=st.integers(0, 3),
)
POLICIES = st.builds(
    Policy,
    steps=STEPS,
    waits=st.builds(
        Waits,
        reboot=st.integers(0, 600),
        restart=st.integers(0, 600),
        reinstall=st.integers(0, 1200),
    ),
    history=st.integers(0, 7200),
    limit=st.builds(RestartLimit, restarts=st.integers(1, 10), within=st.integers(60, 7200)),
    flapping=st.builds(Flapping, half_life=st.integers(60, 7200), give_up=st.integers(1, 8)),
)


def situation(state: State, elapsed: float, *, inst: bool = True, tries: int = 1) -> Situation:
    record = Record(host="p", state=state, tries=tries, last=NOW - elapsed)
    return Situation(record, THESIS, NOW, elapsed, inst)


@pytest.mark.parametrize(
    ("state", "elapsed", "inst", "outcome", "step", "cleared"),
    [
        # The flow chart of the appendix, line by line.
        (State.NORMAL, 600, True, Outcome.WAIT, None, False),
        (State.NORMAL, 601, True, Outcome.ACT, Step.REBOOT, False),
        (State.NORMAL, 3600, True, Outcome.ACT, Step.REBOOT, True),
        (State.REBOOTED, 200, True, Outcome.WAIT, None, False),
        (State.REBOOTED, 201, True, Outcome.ACT, Step.RESTART, False),
        (State.REBOOTED, 3600, True, Outcome.ACT, Step.REBOOT, True),
        (State.RESTARTED, 200, True, Outcome.WAIT, None, False),
        (State.RESTARTED, 201, True, Outcome.ACT, Step.REINSTALL, False),
        (State.RESTARTED, 201, False, Outcome.EXHAUSTED, None, False),
        (State.RESTARTED, 3600, False, Outcome.ACT, Step.REBOOT, True),
        (State.REINSTALLED, 600, True, Outcome.WAIT, None, False),
        (State.REINSTALLED, 601, True, Outcome.ACT, Step.REBOOT, False),
    ],
)
def test_the_thesis_s_flow_chart(
    state: State, elapsed: float, inst: bool, outcome: Outcome, step: Step | None, cleared: bool
) -> None:
    found = decide(situation(state, elapsed, inst=inst))
    assert (found.outcome, found.step, found.cleared) == (outcome, step, cleared)


@pytest.mark.parametrize("state", list(State))
def test_every_state_and_every_set_of_guards_has_one_answer(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is total: it always decides, by the first row that holds, and never loops."""
    for held in itertools.product([False, True], repeat=len(Guard) - 1):
        truth = dict(zip(Guard, held, strict=False)) | {Guard.OTHERWISE: True}
        for guard, value in truth.items():
            monkeypatch.setitem(recovery._GUARDS, guard, _fixed(guard, value))  # noqa: SLF001
        found = decide(situation(state, 1000))
        row = next(row for row in ROWS if state in row.states and truth[row.guard])
        if row.outcome is not Outcome.CLEAR:
            assert (found.outcome, found.step, found.then) == (row.outcome, row.step, row.then)
        assert found.outcome is not Outcome.CLEAR
        forbidding = (Guard.LEFT, Guard.FLAPPING, Guard.LIMITED, Guard.WAITING)
        assert found.step is None or not any(truth[guard] for guard in forbidding)
        assert found.step is not Step.REINSTALL or truth[Guard.REINSTALL]


def _fixed(guard: Guard, value: bool) -> Callable[[Situation], bool]:
    """A guard with that truth; those of time are false once the history is cleared."""
    once = guard in (Guard.WAITING, Guard.OLD)
    return lambda s: value and not (once and s.cleared)


def test_every_row_can_be_reached() -> None:
    assert {row.guard for row in ROWS} == set(Guard)
    for state in State:
        assert any(state in row.states and row.guard is Guard.OTHERWISE for row in ROWS)
    assert {row.then for row in ROWS if row.step} == set(State) - {State.NORMAL}


def test_tries_are_counted_per_step() -> None:
    policy = THESIS.model_copy(update={"steps": Steps(reboot=2, restart=3, reinstall=1)})
    record = Record(host="p")
    taken: list[Step] = []
    now = NOW
    for _ in range(6):
        now += 700
        found = decide(Situation(record, policy, now, 700, inst=True))
        assert found.step is not None
        taken.append(found.step)
        record = acted(record, found.step, "p", policy, now).model_copy(update={"recent": ()})
    assert taken == [Step.REBOOT] * 2 + [Step.RESTART] * 3 + [Step.REINSTALL]


def test_reboot_may_be_left_out() -> None:
    policy = THESIS.model_copy(update={"steps": Steps(reboot=0, restart=1, reinstall=0)})
    assert decide(Situation(Record(host="p"), policy, NOW, NOW)).step is Step.RESTART


def test_a_snapshot_lies_between_restart_and_reinstall() -> None:
    steps = Steps(reboot=1, restart=1, snapshot=1, reinstall=1)
    policy = THESIS.model_copy(update={"steps": steps})
    restarted = Record(host="p", state=State.RESTARTED, tries=1)
    with_one = Situation(restarted, policy, NOW, 300, inst=True, snapshots=True)
    assert decide(with_one).step is Step.SNAPSHOT
    without = Situation(restarted, policy, NOW, 300, inst=True)
    assert decide(without).step is Step.REINSTALL
    restored = restarted.model_copy(update={"state": State.RESTORED})
    after = Situation(restored, policy, NOW, 300, inst=True, snapshots=True)
    assert decide(after).step is Step.REINSTALL


@pytest.mark.parametrize("state", [State.RESTARTED, State.RESTORED, State.REINSTALLED])
def test_the_death_of_its_host_is_not_held_against_a_vm(state: State) -> None:
    record = Record(host="p", state=state, tries=9)
    here = Situation(record, THESIS, NOW, 700, inst=True, snapshots=True, host_down=True)
    assert decide(here).step is Step.RESTART
    never = THESIS.model_copy(update={"steps": Steps(reboot=0, restart=0, reinstall=1)})
    assert decide(replace(here, policy=never)).step is not Step.RESTART


def test_no_step_at_all_is_no_loop() -> None:
    policy = THESIS.model_copy(update={"steps": Steps(reboot=0, restart=0, reinstall=0)})
    for state in State:
        found = decide(Situation(Record(host="p", state=state), policy, NOW, 10_000))
        assert found.outcome is Outcome.EXHAUSTED


def test_a_machine_that_comes_and_goes_is_brought_back_ever_more_slowly() -> None:
    record = Record(host="p", state=State.RESTARTED)
    waits: list[float] = []
    for turn in range(5):
        record = failed(record, THESIS, NOW + turn)
        waits.append(recovery.wait(Situation(record, THESIS, NOW + turn, 0)))
    assert waits == [200, 400, 800, 1600, 3200]
    found = decide(Situation(record, THESIS, NOW + 5, 100_000, inst=True))
    assert found.outcome is Outcome.LEAVE
    assert found.reason == "left to a human (3rc resume): it failed 5 times in short order"
    left = record.model_copy(update={"left": found.reason})
    stays = decide(Situation(left, THESIS, NOW + 10**9, 10**9))
    assert (stays.outcome, stays.reason) == (Outcome.STAY, found.reason)


def test_a_wait_says_what_it_is_for() -> None:
    record = failed(Record(host="p", state=State.RESTARTED), THESIS, NOW)
    said = decide(Situation(record, THESIS, NOW, 60)).reason
    assert said == "restarted 60 s ago; waits 140 s more"
    begun = recovery.exhausted(record, NOW)
    said = decide(Situation(begun, THESIS, NOW, 60)).reason
    assert said == "back at its first step 60 s ago; waits 540 s more"
    for slower, times in (("doubled", 2), ("doubled 2 times", 3)):
        again = record.model_copy(update={"strain": float(times)})
        said = decide(Situation(again, THESIS, NOW, 60)).reason
        assert said.endswith(f"s more, {slower} since it keeps failing")


def test_failures_fade() -> None:
    """While the VM is up; else it would come and go for ever, at ever longer intervals."""
    record = failed(Record(host="p"), THESIS, NOW)
    assert recovery.strain(record, THESIS, NOW + 3600) == pytest.approx(1)
    back = record.model_copy(update={"up": NOW + 600})
    assert recovery.strain(back, THESIS, NOW + 600 + 3600) == pytest.approx(0.5)
    assert recovery.strain(back, THESIS, NOW - 50) == pytest.approx(1)  # a clock that went back


def test_a_vm_that_fails_whenever_it_is_up_is_left_to_a_human() -> None:
    record, now, failures = Record(host="p", up=NOW), NOW, 0
    while not record.left:
        record, failures = failed(record, THESIS, now), failures + 1
        while (found := decide(Situation(record, THESIS, now, now - record.last))).step is None:
            if found.outcome is Outcome.LEAVE:
                record = record.model_copy(update={"left": found.reason})
                break
            if found.outcome is Outcome.EXHAUSTED:
                record = recovery.exhausted(record, now)
            now += 60
        else:
            record = recovery.acted(record, found.step, "p", THESIS, now)
            record, now = record.model_copy(update={"up": now + 100}), now + 200
    assert failures == THESIS.flapping.give_up


@pytest.mark.parametrize("inst", [True, False])
def test_a_vm_that_never_comes_up_is_left_to_a_human(inst: bool) -> None:
    """Each time that all steps were tried in vain counts as a failure, but makes no wait longer."""
    record, now, taken = failed(Record(host="p", up=0.0), THESIS, NOW), NOW, list[Step]()
    waits = set[float]()
    while not record.left and len(taken) < 50:
        now += 60
        here = Situation(record, THESIS, now, now - record.last, inst)
        waits.add(recovery.wait(here))
        found = decide(here)
        if found.outcome is Outcome.LEAVE:
            record = record.model_copy(update={"left": found.reason})
        elif found.outcome is Outcome.EXHAUSTED:
            record = recovery.exhausted(record, now)
        elif found.step is not None:
            taken.append(found.step)
            record = recovery.climbed(record) if found.climbed else record
            record = acted(record, found.step, "p", THESIS, now)
    ladder = [Step.REBOOT, Step.RESTART, *([Step.REINSTALL] if inst else [])]
    assert taken == ladder * (THESIS.flapping.give_up - 1)
    assert waits == {200, 600}
    assert record.left == (
        "left to a human (3rc resume): all steps were tried 4 times and it never came up"
    )
    assert failed(record, THESIS, now).ladders == 0


def test_steps_that_brought_it_back_are_not_held_against_it() -> None:
    """It was up after the last of them, and fails anew: that was not in vain."""
    for state in (State.RESTARTED, State.REINSTALLED):
        record = Record(host="p", state=state, tries=1, last=NOW - 4000, up=NOW - 3000)
        record = failed(record, THESIS, NOW)
        assert recovery.climbed(record).ladders == recovery.exhausted(record, NOW).ladders == 0
        once_more = acted(record, Step.RESTART, "p", THESIS, NOW + 60)
        assert recovery.climbed(once_more).ladders == 1


def test_all_that_was_in_vain_adds_up() -> None:
    record = failed(Record(host="p"), THESIS, NOW)
    twice = record.model_copy(update={"strain": 2.0, "ladders": 3})
    said = decide(Situation(twice, THESIS, NOW, 0)).reason
    assert said == (
        "left to a human (3rc resume): it failed 2 times in short order, "
        "and all steps were tried 3 times and it never came up"
    )
    once = record.model_copy(update={"strain": 4.0, "ladders": 1})
    said = decide(Situation(once, THESIS, NOW, 0)).reason
    assert said.endswith("it failed 4 times in short order, and all steps were tried in vain")


def test_the_limit_caps_actions_within_an_interval() -> None:
    recent = tuple(NOW - 100 * n for n in range(5))
    record = Record(host="p", state=State.REBOOTED, recent=recent)
    found = decide(Situation(record, THESIS, NOW + 300, 300, inst=True))
    assert found.outcome is Outcome.LIMIT
    later = Situation(record, THESIS, NOW + 3599, 3599, inst=True)
    assert decide(later).outcome is Outcome.ACT


@given(POLICIES, st.sampled_from(State), st.integers(0, 4), st.floats(0, 20_000), st.booleans())
def test_whatever_the_policy(
    policy: Policy, state: State, tries: int, elapsed: float, inst: bool
) -> None:
    record = Record(host="p", state=state, tries=tries, last=NOW - elapsed)
    here = Situation(record, policy, NOW, elapsed, inst)
    found = decide(here)
    if found.step is not None:
        assert elapsed > recovery.wait(here)
        assert getattr(policy.steps, found.step.lower()) > 0
        assert inst or found.step is not Step.REINSTALL
        assert found.step is not Step.SNAPSHOT
    assert found.reason


class Ladder(RuleBasedStateMachine):
    """A VM that fails and recovers at any time, under any policy."""

    @initialize(policy=POLICIES, inst=st.booleans(), snapshots=st.booleans())
    def begin(self, policy: Policy, inst: bool, snapshots: bool) -> None:
        self.policy, self.inst, self.snapshots = policy, inst, snapshots
        self.record = Record(host="p", up=0.0)
        self.now = NOW
        self.actions: list[tuple[float, Step]] = []
        self.in_vain: list[Step] = []

    @rule(seconds=st.integers(1, 4000))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.record.up is None)
    @rule()
    def it_recovers(self) -> None:
        self.record = self.record.model_copy(update={"up": self.now})
        self.in_vain.clear()

    @rule()
    def a_tick_sees_it_down(self) -> None:
        if self.record.up is not None:
            self.record = failed(self.record, self.policy, self.now)
        elapsed = self.now - self.record.last
        here = Situation(self.record, self.policy, self.now, elapsed, self.inst, self.snapshots)
        found = decide(here)
        if found.outcome is Outcome.LEAVE:
            self.record = self.record.model_copy(update={"left": found.reason})
        elif found.outcome is Outcome.EXHAUSTED:
            self.record = recovery.exhausted(self.record, self.now)
        elif found.step is not None:
            assert not self.record.left
            if found.climbed:
                self.record = recovery.climbed(self.record)
            if found.cleared:
                self.record = recovery.forgotten(self.record)
            self.record = acted(self.record, found.step, "p", self.policy, self.now)
            self.actions.append((self.now, found.step))
            self.in_vain.append(found.step)

    @invariant()
    def never_more_than_the_limit(self) -> None:
        limit = self.policy.limit
        for first, _ in self.actions:
            within = [at for at, _ in self.actions if first <= at < first + limit.within]
            assert len(within) <= limit.restarts

    @invariant()
    def it_is_not_reinstalled_for_ever(self) -> None:
        reinstalled = self.in_vain.count(Step.REINSTALL)
        assert reinstalled <= self.policy.flapping.give_up * self.policy.steps.reinstall

    @invariant()
    def never_without_consent(self) -> None:
        assert self.inst or Step.REINSTALL not in {step for _, step in self.actions}

    @invariant()
    def the_flag_is_the_thesis_s(self) -> None:
        assert self.record.flag == FLAGS[self.record.state] in (0, 1, 2)

    @invariant()
    def the_record_survives_the_store(self) -> None:
        assert Record.load(self.record.dump()) == self.record


TestLadder = Ladder.TestCase
