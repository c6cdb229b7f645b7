"""What holds is told once an hour, and no silence is without a reason."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from tests.runtime.tiny_world import TinyHost, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.errors import StoreLost
from threerc.runtime.retelling import AGAIN, News, gist
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.status import word_lines

NEVER = {f"vm{n:04}": {"home": "alfa01", "memory": 1} for n in range(50)}
SITE = config(
    virtual_machines={**NEVER, **{n: {"home": "alfa02", "memory": 1} for n in ("gridce", "other")}}
)


@pytest.fixture
def world() -> TinyWorld:
    return TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})


def wait(vm: str, reason: str) -> dict[str, Any]:
    return {"time": 0.0, "controller": "bibe", "vm": vm, "kind": "wait", "reason": reason}


def news(
    store: MemoryStore, me: str, now: float, events: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What is new, told and remembered."""
    told = News(store, me, now, events)
    told.remember()
    return told.fresh


def test_machines_that_were_never_started_do_not_fill_the_disk(world: TinyWorld) -> None:
    """50 of them once made 14 MiB a day."""
    for _ in range(3 * 60):
        tick(world, SITE, "bibe")
        world.time += 60
    told = Counter(event.get("vm") for event in world.store.events(None, 100_000))
    assert {told[vm] for vm in NEVER} == {3}
    (line,) = word_lines(world.store, "vm0000", world.zone)
    assert line.startswith("now: never seen by the monitor")
    assert line.endswith("so since 1970-01-12/13:46:40, bibe looked last at 1970-01-12/16:45:40")


def test_what_a_controller_saw_that_is_no_more_does_not_hold_now(world: TinyWorld) -> None:
    tick(world, SITE, "bussolo")
    world.time += 2 * AGAIN
    tick(world, SITE, "bibe")
    lines = word_lines(world.store, "vm0000", world.zone)
    assert lines
    assert all("bibe looked last" in line for line in lines)


def test_a_standstill_notifies_once_and_not_in_every_tick(world: TinyWorld) -> None:
    site = config(brake={"share": 0.01})
    world.silent = dict.fromkeys(("alfa01", "alfa02", "gridce", "other"), 90.0)
    for _ in range(5):
        tick(world, site, "bibe")
        world.time += 60
    assert [event["kind"] for event in world.told] == ["standstill"]


def test_a_new_reason_is_told_at_once_and_an_old_one_that_comes_back_too() -> None:
    store = MemoryStore()
    told = [
        news(store, "bibe", float(at), [wait("a", reason)]) != []
        for at, reason in enumerate(
            ["down for 5 s", "down for 65 s", "on alfa01", "on alfa02", "down for 5 s"]
        )
    ]
    assert told == [True, False, True, True, True]


def test_two_controllers_tell_each_for_itself() -> None:
    store = MemoryStore()
    assert news(store, "bibe", 0.0, [wait("a", "x")])
    assert news(store, "bussolo", 0.0, [wait("a", "x")])
    assert not news(store, "bibe", 1.0, [wait("a", "x")])


def test_it_is_told_again_after_an_hour_and_where_the_clock_went_back() -> None:
    store = MemoryStore()
    times = (5000.0, 5000.0 + AGAIN - 1, 5000.0 + AGAIN, 4000.0, 4001.0)
    assert [bool(news(store, "bibe", at, [wait("a", "x")])) for at in times] == [
        True,
        False,
        True,
        True,
        False,
    ]


def test_one_that_was_over_is_told_when_it_comes_back() -> None:
    store = MemoryStore()
    news(store, "bibe", 0.0, [wait("a", "x")])
    news(store, "bibe", 1.0, [])
    assert news(store, "bibe", 2.0, [wait("a", "x")])


def test_actions_are_always_told() -> None:
    store = MemoryStore()
    event = wait("a", "down") | {"kind": "action"}
    assert news(store, "bibe", 0.0, [event]) == news(store, "bibe", 1.0, [event]) == [event]


@pytest.mark.parametrize("method", ["log", "put"])
def test_what_could_not_be_told_or_remembered_is_told_again(
    world: TinyWorld, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def full(*_: object) -> None:
        raise StoreLost("no space left")

    news = News(world.store, "bibe", 0.0, [wait("a", "x")])
    with monkeypatch.context() as patch:
        patch.setattr(world.store, method, full)
        with suppress(StoreLost):
            world.store.log([], news.fresh)
            news.remember()
    assert News(world.store, "bibe", 1.0, [wait("a", "x")]).fresh


def test_a_tick_whose_log_is_full_tells_it_in_the_next_one(
    world: TinyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreLost("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "log", full)
        with pytest.raises(StoreLost):
            tick(world, SITE, "bibe")
    world.time += 60
    tick(world, SITE, "bibe")
    assert {event["vm"] for event in world.store.events() if event["kind"] == "wait"} == {*NEVER}


@pytest.mark.parametrize("value", [{}, {"standing": 1}, {"standing": [[1]]}, {"standing": [None]}])
def test_what_is_none_of_ours_is_written_anew(value: dict[str, Any]) -> None:
    store = MemoryStore()
    store.put("told/bibe", value, 0)
    assert news(store, "bibe", 0.0, [wait("a", "x")])
    assert not news(store, "bibe", 1.0, [wait("a", "x")])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("silent for 5 s", "silent for 1200 s", True),
        ("load (12.5) above 10", "load (9.1) above 10", True),
        ("RESTART on alfa01", "RESTART on alfa02", False),
        ("paused: x", "paused: y", False),
    ],
)
def test_figures_are_no_news_but_names_are(one: str, other: str, same: bool) -> None:
    assert (gist(one) == gist(other)) is same


def test_for_whom_there_was_no_time_is_told_in_the_next_tick(world: TinyWorld) -> None:
    world.silent |= {"gridce": 500.0, "other": 500.0}
    world.ears = 1
    tick(world, SITE, "bibe")
    assert len(world.told) == 1
    world.time += 60
    tick(world, SITE, "bibe")
    acted = [event for event in world.told if event["kind"] == "action"]
    assert sorted(event["vm"] for event in acted) == ["gridce", "other"]
    assert {event["time"] for event in acted} == {world.time - 60}
    world.time += 60
    tick(world, SITE, "bibe")
    assert len(world.told) == 2
    logged = [event for event in world.store.events() if event["kind"] == "action"]
    assert len(logged) == 2


def test_what_a_controller_lacks_is_told_once_and_when_it_changes(world: TinyWorld) -> None:
    world.lacks = "bibe has no definition of gridce"
    lines = [tick(world, SITE, "bibe").lines() for _ in range(3)]
    assert [line[-1] for line in lines] == [world.lacks] * 3
    assert [event["reason"] for event in world.told] == [world.lacks]
    world.lacks = "bibe has no definition of other"
    tick(world, SITE, "bibe")
    assert world.told[-1]["reason"] == world.lacks
