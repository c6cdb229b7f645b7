"""When controllers tick, one at a time, and what is told of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import requires_real
from tests.runtime.tiny_world import TinyHost, TinyWorld, config
from threerc.runtime import daemon
from threerc.runtime.config import Minutes
from threerc.runtime.daemon import Busy, alone, due, due_every, measured_tick, overseen
from threerc.runtime.errors import MonitorLost, StoreLost
from threerc.runtime.metrics import Figures
from threerc.runtime.observation import Observation


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


@pytest.mark.parametrize(
    ("once", "at", "is_told"),
    [(False, 700.0, True), (True, 601.0, True), (True, 721.0, False)],
)
def test_a_tick_that_hangs_is_told(once: bool, at: float, is_told: bool) -> None:
    """Of the many that cron starts meanwhile one in ten minutes tells."""
    world = TinyWorld({})
    world.time = at
    short = config().model_copy(update={"deadline": 0})
    with overseen(world, short, "bibe", once=once):
        deadline = time.monotonic() + (30 if is_told else 0.5)
        while not world.told and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [event["kind"] for event in world.told] == ["standstill"] * is_told


def test_a_tick_that_does_not_hang_is_nothing_to_tell() -> None:
    world = TinyWorld({})
    with overseen(world, config(), "bibe", once=False):
        (timer,) = (each for each in threading.enumerate() if isinstance(each, threading.Timer))
    timer.join(30)
    assert not timer.is_alive()
    assert world.told == []


def test_two_at_once_exclude_each_other(tmp_path: Path) -> None:
    with alone(tmp_path, "bibe"), pytest.raises(Busy), alone(tmp_path, "bibe"):
        pass
    with alone(tmp_path, "bibe"), alone(tmp_path, "bussolo"):
        pass  # another host's, on the directory that both share


@requires_real()
def test_nobody_else_can_lock_a_controller_out(tmp_path: Path) -> None:
    """Whoever can open a file can lock it, also one that it may only read."""
    os.chown(tmp_path, 1, 1)
    with alone(tmp_path, "bibe"):
        (lock,) = tmp_path.iterdir()
        assert lock.stat().st_mode & 0o777 == 0o600
        assert lock.stat().st_uid == 1, "root that looks on must not lock the owner out"


def test_where_the_state_is_not_there_nothing_is_locked(tmp_path: Path) -> None:
    with pytest.raises(StoreLost, match="is it mounted"), alone(tmp_path / "none", "bibe"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_daemon_outlives_whatever_goes_wrong_in_a_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a tick has never met before is no reason to leave the site alone."""
    site = config(state_directory=str(tmp_path))
    world = TinyWorld({})
    errors: list[Exception] = [ValueError("new"), StoreLost("gone")]
    monkeypatch.setattr(world, "observe", lambda: failed(errors))
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(daemon, "_seconds_to_wait", lambda *_: 0.0)
    try:
        daemon.run(world, site, Figures("bibe"), 1)
    finally:
        for number, handler in signals.items():
            signal.signal(number, handler)
    assert not errors
    assert "ValueError: new" in caplog.text
    assert "the tick ended early: gone" in caplog.messages


def failed(errors: list[Exception]) -> Observation:
    """Raise the next error; with the last one, ask the daemon to end."""
    if len(errors) == 1:
        signal.raise_signal(signal.SIGTERM)
    raise errors.pop(0)


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


def test_without_a_monitor_no_figure_says_that_a_vm_is_up(tmp_path: Path) -> None:
    class Blind(TinyWorld):
        def observe(self) -> Observation:
            raise MonitorLost("no route")

    path = tmp_path / "3rc.prom"
    site = config(metrics={"textfile": str(path)})
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    figures = Figures("bibe")
    measured_tick(TinyWorld(hosts), site, figures)
    assert "threerc_vm_up{" in path.read_text()
    assert "threerc_data_age_seconds{" in path.read_text()
    measured_tick(Blind(hosts), site, figures)
    assert "threerc_vm_up{" not in path.read_text()
    assert "threerc_data_age_seconds{" not in path.read_text()
    assert 'threerc_standstill{controller="bibe"} 1.0' in path.read_text()
