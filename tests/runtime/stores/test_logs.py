"""The log files: whole lines whoever writes, whatever was left there."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runtime.stores.support import ended, forked
from threerc.runtime.errors import StoreLost
from threerc.runtime.stores import logs
from threerc.runtime.stores.logs import Log

_LONG = "x" * 400


def lines(folder: Path) -> list[str]:
    return (folder / "log").read_text(encoding="utf-8").splitlines()


def numbers(log: Log, last: int = 1000) -> list[int]:
    return [event["n"] for event in log.events(None, last)]


def write_much(folder: Path, who: str) -> None:
    log = Log(folder)
    for batch in range(100):
        names = [f"{who}-{batch}-{line}" for line in range(3)]
        log.append([f"{name} {_LONG}" for name in names], [{"name": name} for name in names])


def check_batches(names: list[str]) -> None:
    """All lines are there, in the order of each writer; those of one call are neighbours."""
    for who in ("a", "b"):
        own = [name for name in names if name.startswith(who)]
        assert own == [f"{who}-{batch}-{line}" for batch in range(100) for line in range(3)]
    batches = [name.rpartition("-")[0] for name in names]
    assert all(batches[at : at + 3] == [batches[at]] * 3 for at in range(0, 600, 3))


class TestAppending:
    def test_lines_of_two_processes_never_mingle(self, tmp_path: Path) -> None:
        children = [forked(partial(write_much, tmp_path, who)) for who in ("a", "b")]
        assert [ended(child) for child in children] == [0, 0]
        assert all(line.endswith(f" {_LONG}") for line in lines(tmp_path))
        check_batches([line.removesuffix(f" {_LONG}") for line in lines(tmp_path)])
        check_batches([event["name"] for event in Log(tmp_path).events(None, 1000)])

    @pytest.mark.parametrize("torn", [b"half a li", b"\0\0\0", b'{"n": 1, "vm": "a', b"\xff"])
    def test_a_torn_line_spoils_only_itself(self, tmp_path: Path, torn: bytes) -> None:
        log = Log(tmp_path)
        log.append(["one"], [{"n": 1}])
        for name in ("log", "log.json"):
            with (tmp_path / name).open("ab") as file:
                file.write(torn)
        log.append(["two", "three"], [{"n": 2}, {"n": 3}])
        assert (tmp_path / "log").read_bytes() == b"one\n" + torn + b"\ntwo\nthree\n"
        assert numbers(log) == [1, 2, 3]

    def test_what_is_not_written_whole_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda handle, data: write(handle, data[:4]))
            with pytest.raises(StoreLost, match="No space left"):
                Log(tmp_path).append(["a line"], [])
        Log(tmp_path).append(["another"], [])
        assert lines(tmp_path) == ["a li", "another"]

    def test_one_write_has_it_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written: list[bytes] = []
        write = os.write

        def noted(handle: int, data: bytes) -> int:
            written.append(data)
            return write(handle, data)

        monkeypatch.setattr(os, "write", noted)
        Log(tmp_path).append([_LONG, "b"], [{"n": 1, "why": _LONG}, {"n": 2}])
        text, events = written
        assert text.decode().splitlines() == [_LONG, "b"]
        assert [json.loads(line)["n"] for line in events.splitlines()] == [1, 2]

    def test_a_controller_stopped_with_the_lock_stops_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "_TRIES", 2)
        Log(tmp_path).append(["one"], [])
        with (tmp_path / "log").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            Log(tmp_path).append(["two"], [])
        assert lines(tmp_path) == ["one", "two"]

    def test_the_lock_is_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Log(tmp_path).append(["one"], [])
        held = (tmp_path / "log").open()
        fcntl.flock(held, fcntl.LOCK_EX)

        def meanwhile(_seconds: float) -> None:
            with (tmp_path / "log").open("a") as file:
                file.write("of who had the lock\n")
            held.close()

        monkeypatch.setattr("time.sleep", meanwhile)
        Log(tmp_path).append(["two"], [])
        assert lines(tmp_path) == ["one", "of who had the lock", "two"]

    def test_a_server_without_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_handle: int, _how: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", fail)
        Log(tmp_path).append(["one"], [])
        assert lines(tmp_path) == ["one"]

    def test_after_a_rotation_it_begins_anew_and_what_was_is_still_told(
        self, tmp_path: Path
    ) -> None:
        log = Log(tmp_path)
        log.append(["one"], [{"n": 1}])
        (tmp_path / "log").rename(tmp_path / "log.1")
        (tmp_path / "log.json").rename(tmp_path / "log.json.1")
        log.append(["two"], [{"n": 2}])
        assert lines(tmp_path) == ["two"]
        assert numbers(log) == [1, 2]
        assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o640

    def test_text_that_utf8_cannot_write(self, tmp_path: Path) -> None:
        Log(tmp_path).append(["\udcff"], [{"n": 1, "why": "\udcff"}])
        assert lines(tmp_path) == ["\\udcff"]
        assert numbers(Log(tmp_path)) == [1]

    def test_nothing_makes_no_file(self, tmp_path: Path) -> None:
        Log(tmp_path).append([], [])
        assert list(tmp_path.iterdir()) == []


class TestReading:
    @given(
        left=st.lists(
            st.builds(lambda n: json.dumps({"n": n}).encode(), st.integers(0, 9))
            | st.binary(max_size=30).filter(lambda data: not is_event(data)),
            max_size=20,
        ),
        ends=st.booleans(),
        block=st.integers(1, 20),
        last=st.integers(1, 25),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_whole_events_are_found_whatever_lies_between(
        self, tmp_path: Path, left: list[bytes], ends: bool, block: int, last: int
    ) -> None:
        data = b"\n".join(left) + b"\n" * ends
        (tmp_path / "log.json").write_bytes(data)
        expected = [json.loads(line) for line in data.split(b"\n") if is_event(line)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logs, "_BLOCK", block)
            assert Log(tmp_path).events(None, last) == expected[-last:]

    def test_what_is_too_far_back_is_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = Log(tmp_path)
        log.append([], [{"n": n} for n in range(8)])
        monkeypatch.setattr(logs, "_REACH", 3 * len(b'{"n":0}\n') + 2)
        assert numbers(log) == [5, 6, 7]

    def test_only_the_end_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = Log(tmp_path)
        log.append([], [{"n": n} for n in range(100)])
        monkeypatch.setattr(logs, "_BLOCK", 16)
        read: list[bytes] = []
        loads = json.loads

        def noted(line: bytes) -> Any:
            read.append(line)
            return loads(line)

        monkeypatch.setattr(json, "loads", noted)
        assert numbers(log, last=2) == [98, 99]
        assert len(read) < 6


def is_event(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False
