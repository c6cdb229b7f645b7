from __future__ import annotations

from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest

from threerc.runtime.simulation.campaign import Crash
from threerc.testbed import events, trials
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.trials import Trial


def trial(number: int) -> Trial:
    crash = Crash("gridce", 1000.0 + number, 180.5, 70.0, 10.5, 0.0, 2.0, 0.0, 98.0)
    return Trial(
        number,
        "poweroff",
        "thesis",
        crash,
        "RESTART",
        "alfa01",
        "alfa04",
        80.5,
        wrong=("Ganglia does not see it",),
        story=("04:29:40 crashed",),
        logs={"gridce": "3RC-UP gridce\n"},
    )


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert trials.resume(path) == []
    for number in range(3):
        trials.append(path, trial(number))
    assert trials.resume(path) == [trial(number) for number in range(3)]


def test_a_killed_campaign_goes_on_after_its_last_whole_trial(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    trials.append(path, trial(0))
    whole = path.read_bytes()
    trials.append(path, trial(1))
    for cut in range(len(whole), path.stat().st_size):
        torn = tmp_path / f"{cut}.jsonl"
        torn.write_bytes(path.read_bytes()[:cut])
        assert trials.resume(torn) == [trial(0)]
        trials.append(torn, trial(2))
        assert trials.resume(torn) == [trial(0), trial(2)]


def test_a_trial_for_which_there_is_no_room_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    trials.append(path, trial(0))
    size = path.stat().st_size
    _, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (size + 10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            trials.append(path, trial(1))
    finally:
        setrlimit(RLIMIT_FSIZE, (hard, hard))
    trials.append(path, trial(2))
    assert trials.resume(path) == [trial(0), trial(2)]


def test_what_is_no_history_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    trials.append(path, trial(0))
    path.write_text(path.read_text() + '{"number": 1}\n')
    with pytest.raises(TestbedError, match=r"history\.jsonl:2: no trial of ours"):
        trials.resume(path)


def test_events_are_read_in_order_whoever_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert events.read(path) == []
    late = Event(2.5, Kind.BOOTED, "gridce")
    early = Event(1.25, Kind.INSTALLING, "gridce", {"phase": "unpack"})
    for event in (late, early):
        events.append(path, event)
    with path.open("a") as file:
        file.write('{"time": 3.0, "kind": "unheard of", "of": "x"}\n[1]\n{"time": 3')
    assert events.read(path) == [early, late]
