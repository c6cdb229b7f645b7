from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threerc.runtime.simulation.campaign import PARTS
from threerc.testbed.events import Event, Kind
from threerc.testbed.splitting import decision, measured, most_copies, split

CRASH = 1000.0
DOWN_AFTER = 80.0


def action(time: float, step: str, vm: str = "gridce") -> Event:
    return decision({"time": time, "vm": vm, "kind": "action", "step": step, "to": "alfa01"})


def seen(time: float, kind: Kind, vm: str = "gridce") -> Event:
    return Event(time, kind, vm)


RESTART = [
    Event(990.0, Kind.HEARTBEAT, "gridce", {"last": 985.0}),
    seen(1000.2, Kind.STOPPED),
    action(1080.0, "RESTART"),
    seen(1082.0, Kind.STARTED),
    seen(1150.0, Kind.BOOTED),
]


def test_a_restart() -> None:
    crash = split(RESTART, "gridce", CRASH, DOWN_AFTER)
    assert crash.total == 150
    # Last heard of 15 s before the crash, lost 80 s after that; then tick, order and boot.
    assert [getattr(crash, part) for part in PARTS] == [65, 15, 0, 2, 0, 68]


def test_a_ladder_and_a_reinstallation() -> None:
    events = [
        action(1090.0, "RESTART"),
        seen(1092.0, Kind.STARTED),
        action(1310.0, "REINSTALL"),
        seen(1312.0, Kind.STARTED),
        seen(1352.0, Kind.INSTALLED),
        seen(1354.0, Kind.STARTED),  # the installer's own reboot
        seen(1380.0, Kind.BOOTED),
    ]
    crash = split(events, "gridce", CRASH, DOWN_AFTER)
    assert crash.total == 380
    assert [getattr(crash, part) for part in PARTS] == [80, 10, 220, 2, 40, 28]


def test_what_is_of_no_use_until_it_is_healed() -> None:
    """A machine boots also without its cable, and one that never died does not boot."""
    crash = split(RESTART, "gridce", CRASH, DOWN_AFTER, healed=1170.0)
    assert (crash.total, crash.boot) == (170, 88)
    assert split([], "gridce", CRASH, DOWN_AFTER, healed=1170.0).total == 170


def test_what_never_came_back_has_no_time() -> None:
    assert split(RESTART[:-1], "gridce", CRASH, DOWN_AFTER).total is None


def test_others_and_the_past_do_not_count() -> None:
    others = [
        action(1010.0, "RESTART", "lcg"),
        seen(1020.0, Kind.BOOTED, "lcg"),
        action(400.0, "REINSTALL"),
        seen(500.0, Kind.BOOTED),
    ]
    assert split([*others, *RESTART], "gridce", CRASH, DOWN_AFTER) == split(
        RESTART, "gridce", CRASH, DOWN_AFTER
    )


def test_it_may_come_back_by_itself() -> None:
    crash = split([seen(1060.0, Kind.BOOTED)], "gridce", CRASH, DOWN_AFTER)
    assert crash.total == 60
    assert crash.boot == 60


@given(
    st.lists(
        st.tuples(
            st.floats(900, 2000),
            st.sampled_from([Kind.STARTED, Kind.STOPPED, Kind.INSTALLED, Kind.BOOTED, None]),
        )
    )
)
def test_the_parts_add_up_and_none_is_negative(told: list[tuple[float, Kind | None]]) -> None:
    events = [action(time, "RESTART") if kind is None else seen(time, kind) for time, kind in told]
    crash = split(sorted(events, key=lambda e: e.time), "gridce", CRASH, DOWN_AFTER)
    parts = [getattr(crash, part) for part in PARTS]
    assert all(part >= 0 for part in parts)
    if crash.total is not None:
        assert sum(parts) == pytest.approx(crash.total)


def on(kind: Kind, host: str) -> Event:
    return Event(1000.0, kind, "gridce", {"host": host})


POWER_CUT = Event(1000.0, Kind.FAULT, "alfa01", {"what": "power off"})
DEAD = Event(1000.0, Kind.NOTE, "alfa01", {"what": "its process 1 died"})
FROZEN = Event(1000.0, Kind.FAULT, "alfa01", {"what": "frozen"})
THAWED = Event(1000.0, Kind.HEAL, "alfa01", {"what": "thawed"})


@pytest.mark.parametrize(
    ("events", "after", "most"),
    [
        ([], ["alfa01"], 1),
        ([on(Kind.STOPPED, "alfa01"), on(Kind.STARTED, "alfa02")], ["alfa02"], 1),
        ([on(Kind.STARTED, "alfa02"), on(Kind.STOPPED, "alfa01")], ["alfa02"], 2),
        ([POWER_CUT, on(Kind.STARTED, "alfa02")], ["alfa02"], 1),
        ([DEAD, on(Kind.STARTED, "alfa02")], ["alfa02"], 1),
        ([on(Kind.STARTED, "alfa01")], ["alfa01"], 1),
        ([seen(1000.0, Kind.STARTED, "lcg")], ["alfa01"], 1),
        # Frozen there, started here: one goes on, until the other host is thawed.
        ([FROZEN, on(Kind.STARTED, "alfa02")], ["alfa01", "alfa02"], 1),
        ([FROZEN, on(Kind.STARTED, "alfa02"), THAWED], ["alfa01", "alfa02"], 2),
        ([FROZEN, on(Kind.STARTED, "alfa02"), POWER_CUT, THAWED], ["alfa02"], 1),
        # libvirtd was dead when it ended.
        ([on(Kind.STARTED, "alfa02")], ["alfa02"], 1),
        ([on(Kind.STARTED, "alfa02")], ["alfa01", "alfa02"], 2),
    ],
)
def test_copies_at_one_moment(events: list[Event], after: list[str], most: int) -> None:
    assert most_copies(events, "gridce", ["alfa01"], after) == most


def test_boots_and_installations_are_measured() -> None:
    """A first start is both; what was not seen from its beginning is neither."""
    seen = [
        Event(5.0, Kind.BOOTED, "lcg"),
        Event(10.0, Kind.STARTED, "gridce"),
        Event(40.0, Kind.INSTALLED, "gridce"),
        Event(60.0, Kind.BOOTED, "gridce"),
        Event(100.0, Kind.STARTED, "gridce"),
        Event(125.0, Kind.BOOTED, "gridce"),
        Event(130.0, Kind.BOOTED, "gridce"),
    ]
    assert measured(seen) == ([20.0, 25.0], [30.0])
