"""Marks of faults in plots: from when to when, whose, and at what place of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from threerc.testbed import events
from threerc.testbed.events import Event, Kind
from threerc.testbed.spans import Clock, Span, campaign_spans, lanes, spans, struck


def event(time: float, kind: Kind, of: str, fault: str, **detail: Any) -> Event:
    return Event(float(time), kind, of, {"fault": fault, **detail})


SEEN = [
    event(10, Kind.FAULT, "*", "dns", mode="stale"),
    event(11, Kind.FAULT, "vm1", "poweroff"),
    Event(12.0, Kind.FAULT, "two", {"what": "named stopped"}),
    event(20, Kind.FAULT, "one", "gmetad", silent=["vm1", "vm2"]),
    event(22, Kind.FAULT, "one", "collector-restart"),
    event(25, Kind.FAULT, "*", "dns"),
    event(30, Kind.HEAL, "*", "dns"),
    event(31, Kind.HEAL, "two", "power"),
    event(40, Kind.FAULT, "*", "dns", mode="stale"),
    event(45, Kind.HEAL, "*", "dns"),
]


def test_a_mark_for_each_fault_that_is_no_machines() -> None:
    found = spans(struck(SEEN, ["vm1"], since=0), end=60)
    assert found == [
        Span("dns stale", 10, 30),
        Span("one: gmetad silent of vm1, vm2", 20, 60),
        Span("one: collector-restart", 22, 22),
        Span("dns stale", 40, 45),
    ]
    assert [len(each) for each in lanes(found).values()] == [2, 1, 1]


def test_what_was_over_before_a_campaign_has_no_mark_in_it_and_what_lasted_has() -> None:
    found = spans(struck(SEEN, ["vm1"], since=35), end=60)
    assert [each.label for each in found] == ["one: gmetad silent of vm1, vm2", "dns stale"]


def test_marks_are_kept_over_several_runs_of_a_campaign_and_none_twice(tmp_path: Path) -> None:
    kept = tmp_path / "faults.jsonl"
    for part in (SEEN[:2], SEEN[:5], SEEN[4:]):
        events.add(kept, part)
    assert events.read(kept) == SEEN


def came(time: float, run: str) -> Event:
    return Event(float(time), Kind.NOTE, "*", {"run": run})


TWO_TESTBEDS = [
    event(10, Kind.FAULT, "*", "dns", run="aa"),
    came(40, "aa"),
    event(50, Kind.FAULT, "one", "ssh", run="aa"),
    came(60, "aa"),
    event(70, Kind.FAULT, "two", "power", run="bb"),
    event(75, Kind.HEAL, "two", "power", run="bb"),
    event(80, Kind.FAULT, "one", "ssh", run="bb"),
    came(100, "bb"),
    event(120, Kind.HEAL, "one", "ssh", run="bb"),
]


def test_faults_end_with_their_testbed_and_begin_with_the_campaign() -> None:
    """One testbed went down while they lasted, and another was struck before it was used."""
    assert campaign_spans(TWO_TESTBEDS, [45, 66, 130]) == [
        Span("dns", 40, 66),
        Span("one: ssh", 50, 66),
        Span("one: ssh", 100, 120),
    ]


def test_what_lasts_ends_with_the_last_crash() -> None:
    assert campaign_spans(TWO_TESTBEDS[:3], [45, 66]) == [
        Span("dns", 40, 66),
        Span("one: ssh", 50, 66),
    ]
    assert campaign_spans([], [45, 66]) == []


def test_the_time_in_which_nobody_ran_the_campaign_is_left_out() -> None:
    clock = Clock([(100_000, 100_300), (1000, 1600)])
    times = (1000, 1300, 1600, 100_000, 100_300)
    assert [clock.seconds(each) for each in times] == [0, 300, 600, 660, 960]


def test_a_crash_or_a_fault_that_lasts_long_is_no_gap() -> None:
    clock = Clock([(1000, 4000), (1100, 1200), (3900, 3950), (9000, 9100)])
    assert [clock.seconds(each) for each in (1000, 3950, 4000, 9000)] == [0, 2950, 3000, 3060]
