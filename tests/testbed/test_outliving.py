"""What was done to machines while a fault lasted that takes none away."""

from __future__ import annotations

from typing import Any

from threerc.testbed.events import Event, Kind
from threerc.testbed.outliving import Outlived, as_json, as_lines, touched

BEFORE = {"vm1": ("ph1",), "vm2": ("ph2",), "vm3": ()}


def decision(time: float, vm: str, what: str, **detail: Any) -> Event:
    return Event(time, Kind.DECISION, vm, {"what": what, **detail})


def test_nobody_is_touched_by_what_is_only_said() -> None:
    said = [decision(1, "vm1", "wait", reason="lost"), decision(2, "*", "standstill")]
    assert list(touched(said, BEFORE, BEFORE, {"vm1", "vm2"})) == []


def test_who_was_alive_and_restarted_and_who_was_not() -> None:
    acts = [
        decision(1, "vm1", "action", step="RESTART", to="ph2"),
        Event(2, Kind.STOPPED, "vm1", {"host": "ph1"}),
        Event(3, Kind.STARTED, "vm1", {"host": "ph2"}),
        decision(4, "vm1", "action", step="REINSTALL", to="ph2"),
        decision(5, "vm3", "action", step="RESTART", to="ph1"),
        Event(6, Kind.STARTED, "vm3", {"host": "ph1"}),
    ]
    after = {**BEFORE, "vm1": ("ph2",), "vm3": ("ph1",)}
    assert list(touched(acts, BEFORE, after, {"vm1", "vm2"})) == ["vm1 was alive, and got RESTART"]


def test_a_second_copy_is_wrong_of_whomever() -> None:
    started = [Event(1, Kind.STARTED, "vm2", {"host": "ph1"})]
    after = {**BEFORE, "vm2": ("ph1", "ph2")}
    assert list(touched(started, BEFORE, after, ())) == ["vm2: there were 2 copies of it at once"]


def test_how_it_is_told() -> None:
    good = Outlived("dns", "", 10.0, 31.0, 34.0, ("no answer",), ("vm1: is lost",), ())
    assert list(as_lines(good)) == [
        "  controllers: vm1: is lost",
        "the site: dns: healed after 21 s, all is right 3 s later",
    ]
    bad = Outlived("dns", "two", 10.0, 31.0, None, (), (), ("two: no named",))
    unseen = "two: dns: nothing of it was seen while it lasted"
    assert list(as_lines(bad)) == [unseen, "WRONG: two: no named"]
    assert [as_json(each)["good"] for each in (good, bad)] == [True, False]
    assert as_json(good)["seen"] == ("no answer",)
