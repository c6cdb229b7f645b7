"""Marks of faults in plots: from when to when, whose, and at what place of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from threerc.testbed import events
from threerc.testbed.events import Event, Kind
from threerc.testbed.spans import Clock, Span, lanes, spans, struck


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


def test_the_time_in_which_nobody_ran_the_campaign_is_left_out() -> None:
    clock = Clock([100_000, 1000, 1600, 100_300])
    times = (1000, 1300, 1600, 100_000, 100_300)
    assert [clock.seconds(each) for each in times] == [0, 300, 600, 660, 960]
