"""What controllers remember, and that they agree although their clocks do not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threerc.runtime.errors import Conflict
from threerc.runtime.memory import Memory
from threerc.runtime.records import Record, State, from_line, line
from threerc.runtime.simulation.store import MemoryStore

START = 1_000_000.0


def memory(store: MemoryStore, me: str, now: float) -> Memory:
    found = Memory(store, UTC, me, now)
    found.load()
    return found


def act(store: MemoryStore, me: str, now: float) -> None:
    """Have a controller record an action, by its own clock."""
    mine = memory(store, me, now)
    before = mine.held["v"].record if "v" in mine.held else Record(host="p")
    mine.save("v", before.model_copy(update={"last": now, "done": before.done + 1}))
    mine.note(())


def elapsed(store: MemoryStore, me: str, now: float) -> float:
    mine = memory(store, me, now)
    found = mine.elapsed("v", mine.held["v"].record)
    mine.note(())
    return found


def test_what_a_tick_leaves_behind_can_be_read_by_an_older_version() -> None:
    """As long as it has nothing to say that is new."""
    store = MemoryStore()
    memory(store, "bibe", START).note(())
    found = store.get("seen/bibe")
    assert found is not None
    assert found.value.keys() == {"tick", "judged", "down", "absent", "marks", "earlier"}


@given(st.floats(-3600, 3600), st.integers(1, 20))
def test_an_age_is_right_to_one_period_whatever_the_clocks_say(skew: float, minutes: int) -> None:
    """One controller ticks in even minutes, the other, with a wrong clock, in odd ones."""
    store = MemoryStore()
    true = START
    for _ in range(2):
        memory(store, "right", true).note(())
        memory(store, "wrong", true + 60 + skew).note(())
        true += 120
    act(store, "right", true)
    for minute in range(1, minutes + 1):
        me, clock = ("wrong", skew) if minute % 2 else ("right", 0.0)
        found = elapsed(store, me, true + 60 * minute + clock)
        if me == "right":
            assert found == pytest.approx(60 * minute)
        else:
            assert 60 * (minute - 1) <= found + 1e-6
            assert found <= 60 * (minute + 1) + 1e-6


def test_a_failure_that_another_controller_has_written_down_is_no_action() -> None:
    store = MemoryStore()
    for me, now in (("other", START), ("me", START + 60)):
        memory(store, me, now).note(())
    mine = memory(store, "other", START + 120)
    mine.save("v", Record(host="p", strain=1.0, strained=START + 120, fell="p"))
    mine.note(())
    assert elapsed(store, "me", START + 180) == START + 180


def test_two_actions_of_which_the_first_came_to_nothing_are_two() -> None:
    """The second has the first one's number, but is not as old."""
    store = MemoryStore()
    for me, now in (("other", START), ("me", START + 60)):
        memory(store, me, now).note(())
    for begun in (START + 120, START + 240):
        mine = memory(store, "other", begun)
        mine.save("v", Record(host="p", done=1, last=begun))
        assert elapsed(store, "me", begun + 60) == 60
        mine.save("v", Record(host="p"))
        mine.note(())
    assert elapsed(store, "me", START + 360) == START + 360


def test_clocks_that_agree_lose_nothing() -> None:
    store = MemoryStore()
    for minute in range(4):
        memory(store, ("a", "b")[minute % 2], START + 60 * minute).note(())
    act(store, "a", START + 240)
    for minute in range(5, 12):
        me = ("a", "b")[minute % 2]
        assert elapsed(store, me, START + 60 * minute) == 60 * (minute - 4)


def test_a_controller_that_was_off_for_long_believes_what_is_written() -> None:
    store = MemoryStore()
    memory(store, "b", START).note(())
    act(store, "a", START + 50_000)
    assert elapsed(store, "b", START + 50_300) == 300


def test_a_clock_that_went_back_waits_longer_and_not_for_ever() -> None:
    store = MemoryStore()
    act(store, "a", START)
    assert elapsed(store, "a", START - 5000) == 0
    assert elapsed(store, "a", START + 300) == 300


def test_of_two_who_read_the_same_one_may_write() -> None:
    store = MemoryStore()
    first, second = (memory(store, me, START) for me in "ab")
    first.record("v", "p")
    second.record("v", "p")
    first.save("v", Record(host="p", done=1))
    with pytest.raises(Conflict):
        second.save("v", Record(host="q", done=1))
    assert first.holds("v")
    third = memory(store, "c", START)
    third.save("v", Record(host="r", done=2))
    assert not first.holds("v")


def test_an_action_that_came_to_nothing_leaves_the_age_of_the_one_before() -> None:
    store = MemoryStore()
    act(store, "a", START)
    mine = memory(store, "a", START + 300)
    before = mine.held["v"].record
    assert mine.elapsed("v", before) == 300
    mine.save("v", before.model_copy(update={"done": 2, "last": START + 300}))
    assert mine.elapsed("v", mine.held["v"].record) == 0
    mine.save("v", before)
    assert mine.elapsed("v", before) == 300


def test_the_thesis_s_line_is_read_where_there_is_no_record() -> None:
    store = MemoryStore()
    store.publish("gridce", "alfa01 2008-12-13/13:12:01 2")
    mine = memory(store, "a", START)
    record = mine.record("gridce", "home").record
    assert (record.host, record.flag, record.state) == ("alfa01", 2, State.RESTARTED)
    assert line(record, UTC) == "alfa01 2008-12-13/13:12:01 2"
    mine.save("gridce", record.model_copy(update={"host": "alfa04"}))
    assert store.published("gridce") == "alfa04 2008-12-13/13:12:01 2"


@pytest.mark.parametrize(("flag", "tries"), [(0, 0), (1, 1), (2, 1)])
def test_what_the_thesis_s_line_says_was_done_counts_as_tried(flag: int, tries: int) -> None:
    record = from_line(f"alfa01 2008-12-13/13:12:01 {flag}", UTC)
    assert record is not None
    assert record.tries == tries


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2026-10-25T00:30+00:00", "2026-10-25T00:30+00:00"),  # 02:30, for the first time
        ("2026-10-25T01:30+00:00", "2026-10-25T00:30+00:00"),  # 02:30 again
        ("2026-10-25T02:30+00:00", "2026-10-25T02:30+00:00"),
        ("2026-03-29T01:30+00:00", "2026-03-29T01:30+00:00"),
    ],
)
@pytest.mark.parametrize("zone", [ZoneInfo("Europe/Rome"), None], ids=["given", "the machine's"])
def test_of_an_hour_that_comes_twice_the_first_is_read(
    moment: str, read: str, zone: ZoneInfo | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    done = datetime.fromisoformat(moment).timestamp()
    record = from_line(line(Record(host="alfa01", last=done), zone), zone)
    assert record is not None
    assert record.last == datetime.fromisoformat(read).timestamp() <= done
    monkeypatch.undo()
    time.tzset()


def test_an_hour_that_never_was_is_read_as_early_as_can_be() -> None:
    """Written by a clock that had missed the change."""
    record = from_line("alfa01 2026-03-29/02:30:00 1", ZoneInfo("Europe/Rome"))
    assert record is not None
    assert record.last == datetime.fromisoformat("2026-03-29T00:30+00:00").timestamp()


def test_a_host_in_a_line_may_have_its_domain() -> None:
    record = from_line("alfa04.sns.it 2008-12-14/04:31:01 2", UTC)
    assert record is not None
    assert (record.host, record.state) == ("alfa04", State.RESTARTED)


def test_a_line_from_the_future_is_as_old_as_it_is_known() -> None:
    store = MemoryStore()
    store.publish("v", "alfa01 2038-01-01/00:00:00 1")
    mine = memory(store, "a", START)
    record = mine.record("v", "home").record
    assert mine.elapsed("v", record) == 0
    mine.save("v", record.model_copy(update={"strain": 1.0}))
    mine.note(())
    assert elapsed(store, "a", START + 300) == 300


@pytest.mark.parametrize(
    "text",
    ["", "alfa01", "alfa01 2008-12-13/13:12:01 3", "a b c", "x 2008-13-13/00:00:00 0", "; rm 1 0"],
)
def test_other_lines_are_nothing(text: str) -> None:
    assert from_line(text, UTC) is None


@given(st.text(max_size=40))
def test_no_line_brings_it_down(text: str) -> None:
    record = from_line(text, UTC)
    assert record is None or record.flag in (0, 1, 2)


def test_a_record_that_is_none_of_ours_is_nothing_to_act_upon() -> None:
    store = MemoryStore()
    store.put("vm/v", {"host": "p", "who": "knows"}, 0)
    known = memory(store, "a", START)
    assert known.held == {}
    assert known.unread["v"].why == "who: is no key that is known here"
    assert known.unread["v"].guess == Record(host="p")
    with pytest.raises(Conflict, match="vm/v cannot be read: who: is no key"):
        known.save("v", Record(host="p"))


def test_since_when_a_record_cannot_be_read_is_kept_until_it_changes() -> None:
    store = MemoryStore()
    version = store.put("vm/v", {"host": "p", "who": "knows"}, 0)
    memory(store, "a", START).note(())
    later = memory(store, "a", START + 60)
    assert later.unread["v"].since == START
    later.note(())
    store.put("vm/v", {"host": "q", "who": "knows"}, version)
    assert memory(store, "a", START + 120).unread["v"].since == START + 120


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seen/a", {}),
        ("seen/b", {"tick": "soon"}),
        ("seen/a", {"tick": 1.0, "judged": 1.0, "down": 7, "absent": {}, "marks": {}}),
        ("known", {}),
        ("known", {"vms": [1]}),
        ("paused/v", {"why": 7}),
        ("maintenance/p", {"drain": "perhaps"}),
    ],
)
def test_whatever_is_damaged_is_named(key: str, value: dict[str, Any]) -> None:
    store = MemoryStore()
    store.put(key, value, 0)
    (said,) = memory(store, "a", START).damaged
    assert said.startswith(f"{key} cannot be read (")


def test_what_was_silent_is_judged_from_before_a_tick_that_did_not_judge() -> None:
    store = MemoryStore()
    memory(store, "a", START).note((), ["v"])
    late = memory(store, "b", START + 3600)
    assert late.is_gap(540)
    late.note((), ["v", "w"], judged=False)
    next_one = memory(store, "a", START + 3660)
    assert not next_one.is_gap(540)
    assert (next_one.judged, next_one.was_down) == (START, frozenset({"v"}))


def test_a_clock_that_is_ahead_does_not_say_that_somebody_has_looked() -> None:
    store = MemoryStore()
    memory(store, "a", START).note(())
    memory(store, "ahead", START + 90_000).note((), ["v"])
    mine = memory(store, "a", START + 3600)
    assert mine.is_gap(540)
    assert (mine.judged, mine.was_down) == (START, frozenset())


def test_a_host_is_absent_since_this_controller_noticed_it_and_was_never_away() -> None:
    store = MemoryStore()
    for seconds in (0, 60, 120):
        mine = memory(store, "a", START + seconds)
        mine.is_gap(540)
        mine.note(["p"])
        assert mine.absent == {"p": START}
        memory(store, "b", START + 30).note(())
    mine = memory(store, "a", START + 9000)
    mine.is_gap(540)
    mine.note(["p"])
    assert mine.absent == {"p": START + 9000}
