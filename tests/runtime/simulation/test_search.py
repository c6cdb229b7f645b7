"""The search for trouble finds nothing in the controllers, and bugs that are put into them."""

# ruff: noqa: SLF001 - bugs are put where nobody else reaches

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.runtime.simulation.support import SCENARIOS, SITE, outcome, scenario
from threerc.runtime import deciding, recovery, survey, upkeep
from threerc.runtime.brake import Braked
from threerc.runtime.errors import ControllerError
from threerc.runtime.ordering import Orderer
from threerc.runtime.records import Record
from threerc.runtime.recovery import Guard
from threerc.runtime.simulation.hypervisor import SimHypervisor
from threerc.runtime.simulation.invariants import (
    BY_POLICY,
    CRASHED,
    CUT_OVER_LIVING,
    DURING_WAIT,
    LINK_STAYS,
    NO_CONSENT,
    NO_REASON,
    NOT_RECOVERED,
    TOO_OFTEN,
    TWO_COPIES,
    UNREADABLE,
    WHILE_BRAKED,
    WRONG_RECORD,
    Violation,
)
from threerc.runtime.simulation.judging import judge
from threerc.runtime.simulation.load import load
from threerc.runtime.simulation.run import run
from threerc.runtime.simulation.schedules import schedule
from threerc.runtime.simulation.search import Finding, search, shrink, violation, write
from threerc.runtime.survey import Survey
from threerc.runtime.world import Probed

SCHEDULES = int(os.environ.get("THREERC_SCHEDULES", "10000"))
"""How many the controllers have to stand; a minute and a half for 10,000."""
MANY = 250


def first(kind: str) -> Finding:
    """The first finding of a kind; there must be one in a few hundred schedules."""
    for seed in range(1, MANY):
        found = violation(schedule(seed))
        if found is not None and found.kind == kind:
            small = shrink(schedule(seed), kind)
            return Finding(seed, small, violation(small) or found)
    raise AssertionError(f"no {kind} in {MANY} schedules")


def kind_of(found: Violation | None) -> str:
    return found.kind if found else ""


def test_the_controllers_break_nothing() -> None:
    found = [(each.seed, each.violation.what) for each in search(SCHEDULES, seed=1)]
    assert found == []


def test_the_same_seed_is_the_same_schedule() -> None:
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


def test_kills_that_do_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimHypervisor, "kill", lambda _self, _vm: None)
    assert len(first(TWO_COPIES).scenario.faults) <= 2


def test_a_host_taken_for_dead_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_dead(self: Survey, *_: object) -> None:
        self.dead.update(dict.fromkeys(self.lost, "it does not answer"))

    monkeypatch.setattr(Survey, "fence", all_dead)
    first(TWO_COPIES)


def test_reinstalling_without_consent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        recovery._GUARDS, Guard.REINSTALL, lambda s: s.record.state != "reinstalled"
    )
    first(NO_CONSENT)


def test_waits_that_are_not_kept_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recovery._GUARDS, Guard.WAITING, lambda _: False)
    first(DURING_WAIT)


def test_a_brake_that_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threerc.runtime.controller._brake", _set_and_go_on)
    first(WHILE_BRAKED)


def _set_and_go_on(turn: object) -> str:
    memory = turn.memory  # type: ignore[attr-defined]
    if memory.brake is None:
        memory.set_brake(Braked(since=turn.now, reason="on", hosts=()))  # type: ignore[attr-defined]
    return ""


def test_silence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding.Decider, "_hands_off", lambda _self, _vm: "")
    monkeypatch.setattr(recovery, "_why_wait", lambda _: "")
    monkeypatch.setitem(recovery._REASONS, recovery.Outcome.WAIT, lambda _: "")
    first(NO_REASON)


def test_vms_that_are_forgotten_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding.Decider, "_hands_off", lambda _self, _vm: "not today")
    assert len(first(NOT_RECOVERED).scenario.faults) == 1


def test_a_controller_that_crashes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(Orderer, "_order", broken)
    assert "KeyError" in first(CRASHED).violation.what


def test_a_state_that_cannot_be_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> dict[str, Record]:
        raise ControllerError("vm/v1 is no record of ours")

    monkeypatch.setattr("threerc.runtime.simulation.controllers.load_records", unreadable)
    first(UNREADABLE)


def test_a_power_cut_over_the_living_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey.Signs, "living", lambda *_: "")
    first(CUT_OVER_LIVING)


def test_who_answers_the_probe_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_probe", lambda *_: Probed(frozenset(), {}))
    assert "which answers when it is asked" in first(CUT_OVER_LIVING).violation.what


def test_a_boot_link_that_is_not_put_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_install_is_over", lambda *_: False)
    first(LINK_STAYS)


def test_reinstalling_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_disk = {"at": "+5m", "fault": "disk-errors", "of": "vrt1"}
    hopeless = scenario(broken_disk, duration="4h")
    assert violation(hopeless) is None
    monkeypatch.setitem(recovery._GUARDS, Guard.FLAPPING, lambda _: False)
    monkeypatch.setattr(recovery, "_failures", lambda _: 1)
    assert kind_of(violation(hopeless)) == TOO_OFTEN


def test_a_record_that_stays_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished, _ = load(SCENARIOS / "dies-after-the-start")
    assert violation(unfinished) is None
    monkeypatch.setattr(upkeep, "_where", lambda *_: None)
    assert kind_of(violation(unfinished)) == WRONG_RECORD


PROCEED = SITE | {"split_brain": {"policy": "proceed", "after": 600}}
CUT_OFF = scenario({"at": "+5m", "fault": "network", "of": "alfa01"}, site=PROCEED, duration="30m")


def test_going_on_before_the_policy_says_so_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_policy", lambda *_: "it will be dead by now")
    assert kind_of(violation(CUT_OFF)) == TWO_COPIES


def test_what_a_policy_gives_up_is_said_and_is_no_finding() -> None:
    said = outcome(CUT_OFF).simulation.invariants.violations
    assert [(each.kind, each.what) for each in said] == [
        (BY_POLICY, "vrt1 runs on alfa01 and alfa02")
    ]
    assert violation(CUT_OFF) is None


def test_a_finding_becomes_a_scenario(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(SimHypervisor, "kill", lambda _self, _vm: None)
        found = first(TWO_COPIES)
        write(found, tmp_path / "found")
        written, config = load(tmp_path / "found")
        broken_run = run(written, config)
        assert [each.kind for each in broken_run.simulation.invariants.violations] == [TWO_COPIES]
    assert (tmp_path / "found/README.md").read_text(encoding="utf-8").startswith("# two-copies\n")
    assert violation(written) is None
    assert judge(tmp_path / "found", run(written, config)) != []


def test_shrinking_keeps_what_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimHypervisor, "kill", lambda _self, _vm: None)
    large = next(
        each for seed in range(1, MANY) if (each := schedule(seed)) and violation(each) is not None
    )
    small = shrink(large, TWO_COPIES)
    assert set(small.faults) <= set(large.faults)
    assert violation(small) is not None


def test_no_scenario_of_ours_was_found_by_a_search_and_left_there() -> None:
    for path in SCENARIOS.glob("*/README.md"):
        assert "Found by `3rc simulate --search`" not in path.read_text(encoding="utf-8"), path
