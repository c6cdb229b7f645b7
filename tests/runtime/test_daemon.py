"""When controllers tick, one at a time, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.tiny_world import TinyHost, TinyWorld, config
from threerc.runtime.config import Minutes
from threerc.runtime.daemon import Busy, alone, due, due_every, measured_tick
from threerc.runtime.metrics import Figures


@pytest.mark.parametrize(
    ("minutes", "now", "when"),
    [
        ("every", 0.0, 61),
        ("every", 61.5, 121),
        ("even", 61.5, 121),
        ("odd", 61.5, 181),
        ("odd", 0.0, 61),
        ("even", 59.9, 121),
    ],
)
def test_a_tick_is_due_in_the_first_second_of_its_minute(
    minutes: Minutes, now: float, when: float
) -> None:
    assert due(minutes, now) == when


@given(st.floats(0, 1e10), st.sampled_from(["even", "odd", "every"]))
def test_the_next_one_is_always_ahead_and_never_far(now: float, minutes: Minutes) -> None:
    when = due(minutes, now)
    assert 0 < when - now <= 121
    minute = int(when // 60)
    assert minutes == "every" or minute % 2 == (minutes == "odd")


@given(st.floats(0, 1e10), st.integers(1, 3600))
def test_a_daemon_may_tick_more_often(now: float, seconds: int) -> None:
    assert 0 < due_every(seconds, now) - now <= seconds + 1e-3


def test_two_at_once_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "c").touch()
    with alone(tmp_path / "c"), pytest.raises(Busy), alone(tmp_path / "c"):
        pass


def test_metrics_are_what_the_tick_found(tmp_path: Path) -> None:
    site = config(metrics={"textfile": str(tmp_path / "3rc.prom")})
    world = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})
    world.silent["gridce"] = 500.0
    figures = Figures("bibe")
    measured_tick(world, site, figures)
    lines = dict(line.rsplit(" ", 1) for line in (tmp_path / "3rc.prom").read_text().splitlines())
    assert lines['threerc_vm_up{controller="bibe",host="alfa01",vm="gridce"}'] == "0.0"
    assert lines['threerc_vm_up{controller="bibe",host="alfa02",vm="other"}'] == "1.0"
    assert lines['threerc_vm_state{controller="bibe",state="restarted",vm="gridce"}'] == "1.0"
    assert lines['threerc_vm_actions{controller="bibe",vm="gridce"}'] == "1.0"
    assert lines['threerc_standstill{controller="bibe"}'] == "0.0"


def test_events_are_told_but_waits_are_not() -> None:
    world = TinyWorld({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})
    world.silent["gridce"] = 500.0
    figures = Figures("bibe")
    for _ in range(2):
        measured_tick(world, config(), figures)
        world.time += 60
    world.silent = {}
    measured_tick(world, config(), figures)
    told: list[Any] = [event["kind"] for event in world.told]
    assert told == ["action", "recovered"]
