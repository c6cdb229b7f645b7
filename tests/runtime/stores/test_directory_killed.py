"""Controllers that are killed or stopped at each of their file operations, and a full disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.runtime.stores.support import (
    LOST,
    WON,
    ended,
    forked,
    increment,
    signal_before,
    try_increment,
    value_of,
    version_of,
)
from threerc.runtime.errors import Conflict
from threerc.runtime.stores.directory import DirectoryStore

HERE = "alfa01 2008-12-14/04:31:01 1"
THERE = "alfa04 2008-12-14/04:35:01 2"
Work = Callable[[DirectoryStore], object]


def ready(folder: Path) -> None:
    """A directory in use: the second version of a VM, one that was deleted, a line, a log."""
    store = DirectoryStore.create(folder)
    store.put("vm/gridce", {"n": 2}, store.put("vm/gridce", {"n": 1}, 0))
    store.delete("vm/gone", store.put("vm/gone", {"n": 0}, 0))
    store.publish("gridce", HERE)
    store.log(["one"], [{"n": 1}])


def put(store: DirectoryStore) -> None:
    store.put("vm/gridce", {"n": 3}, 2)


def delete(store: DirectoryStore) -> None:
    store.delete("vm/gridce", 2)


def put_again(store: DirectoryStore) -> None:
    store.put("vm/gone", {"n": 3}, 0)


def put_first(store: DirectoryStore) -> None:
    store.put("paused/first", {"n": 3}, 0)


def publish(store: DirectoryStore) -> None:
    store.publish("gridce", THERE)


def log(store: DirectoryStore) -> None:
    store.log(["two"], [{"n": 2}])


def looks(store: DirectoryStore) -> tuple[object, ...]:
    """All that a controller sees."""
    keys = [store.get(key) for key in ("vm/gridce", "vm/gone", "paused/first")]
    lists = [store.list(prefix) for prefix in ("vm/", "paused/")]
    lines = (store.folder / "log").read_text().splitlines()
    return (*keys, *lists, store.published("gridce"), lines, [e["n"] for e in store.events()])


def then_works(store: DirectoryStore) -> None:
    """The next controller can do everything, and sweeps up the values that are left."""
    for key in ("vm/gridce", "vm/gone", "paused/first"):
        for number in range(3):
            store.put(key, {"n": number}, version_of(store, key))
        assert value_of(store, key) == {"n": 2}
        assert len(list((store.folder / "state" / key).glob("*.json"))) == 2
        store.delete(key, version_of(store, key))
        assert value_of(store, key) is None
    store.publish("gridce", HERE)
    assert store.published("gridce") == HERE
    store.log(["next"], [{"n": 9}])
    assert (store.folder / "log").read_text().splitlines()[-1] == "next"
    assert store.events()[-1] == {"n": 9}


def killed(count: int, work: Work, folder: Path) -> bool:
    """Whether a process died before its file operation of that number."""

    def child() -> None:
        store = DirectoryStore(folder)
        signal_before(count, signal.SIGKILL)
        work(store)

    status = ended(forked(child))
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("work", [put, delete, put_again, put_first, publish])
def test_killed_anywhere_it_leaves_the_old_or_the_new(tmp_path: Path, work: Work) -> None:
    ready(tmp_path / "old")
    old = looks(DirectoryStore(tmp_path / "old"))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    work(DirectoryStore(tmp_path / "new"))
    new = looks(DirectoryStore(tmp_path / "new"))
    assert old != new
    seen: list[bool] = []
    died, count = True, 0
    while died:
        count += 1
        folder = tmp_path / f"killed{count}"
        shutil.copytree(tmp_path / "old", folder)
        died = killed(count, work, folder)
        now = looks(DirectoryStore(folder))
        assert now in (old, new)
        seen.append(now == new)
        then_works(DirectoryStore(folder))
    # Once it is the new one, it stays so.
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_killed_anywhere_the_log_has_whole_lines(tmp_path: Path) -> None:
    died, count = True, 0
    while died:
        count += 1
        folder = tmp_path / f"killed{count}"
        ready(folder)
        died = killed(count, log, folder)
        *_, lines, events = looks(DirectoryStore(folder))
        assert lines in (["one"], ["one", "two"])
        assert events in ([1], [1, 2])
        then_works(DirectoryStore(folder))
    assert (lines, events) == (["one", "two"], [1, 2])
    assert count > 2


def test_killed_while_it_makes_the_directory_it_can_be_made_again(tmp_path: Path) -> None:
    died, count = True, 0
    while died:
        count += 1
        folder = tmp_path / f"killed{count}"
        child = partial(make_killed, folder, count)
        died = ended(forked(child)) != 0
        ready(folder)
    assert count > 8


def make_killed(folder: Path, count: int) -> None:
    signal_before(count, signal.SIGKILL)
    DirectoryStore.create(folder)


class Stopped:
    """A process that is stopped before its file operation of a number, or has ended by then."""

    def __init__(self, count: int, work: Callable[[], int]) -> None:
        def child() -> int:
            signal_before(count, signal.SIGSTOP)
            return work()

        self.process = forked(child)
        _, status = os.waitpid(self.process, os.WUNTRACED)
        self.is_stopped = os.WIFSTOPPED(status)
        self._status = status

    def end(self) -> int:
        """Let it go on to its end; its exit status."""
        if not self.is_stopped:
            return os.waitstatus_to_exitcode(self._status)
        os.kill(self.process, signal.SIGCONT)
        return ended(self.process)


def increment_once(store: DirectoryStore) -> int:
    return WON if try_increment(store, "vm/gridce") else LOST


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("others", [1, 2, 5])
def test_stopped_anywhere_it_counts_exactly_when_it_says_so(
    tmp_path: Path, exists: bool, others: int
) -> None:
    stopped, count, results = True, 0, set()
    while stopped:
        count += 1
        folder = tmp_path / str(count)
        store = DirectoryStore.create(folder)
        if exists:
            for _ in range(4):
                increment(store, "vm/gridce")
        before = (value_of(store, "vm/gridce") or {"count": 0})["count"]
        child = Stopped(count, partial(increment_once, store))
        for _ in range(others):
            increment(store, "vm/gridce")
        result = child.end()
        assert value_of(store, "vm/gridce") == {"count": before + others + (result == WON)}
        assert result in (WON, LOST)
        results.add(result)
        stopped = child.is_stopped
    assert results == {WON, LOST}


def test_stopped_anywhere_and_deleted_meanwhile_it_loses_or_had_won(tmp_path: Path) -> None:
    stopped, count, results = True, 0, set()
    while stopped:
        count += 1
        store = DirectoryStore.create(tmp_path / str(count))
        store.put("paused/x", {"by": "other"}, 0)
        child = Stopped(count, partial(put_late, store))
        for _ in range(2):
            version = version_of(store, "paused/x")
            store.delete("paused/x", version)
            version = store.put("paused/x", {"by": "other"}, 0)
        assert child.end() == (WON if version == 6 else LOST)
        results.add(version)
        assert value_of(store, "paused/x") == {"by": "other"}
        stopped = child.is_stopped
    assert results == {5, 6}


def put_late(store: DirectoryStore) -> int:
    try:
        store.put("paused/x", {"by": "late"}, 1)
    except Conflict:
        return LOST
    return WON


def on_a_small_disk(folder: Path, what: str) -> list[str]:
    """What a program prints that has a disk of 64 KiB at `folder`."""
    folder.mkdir()
    script = 'mount -t tmpfs -o size=64k none "$2" && exec "$1" -c "$3" "$2"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script, "sh", sys.executable, str(folder), what],
        env={**os.environ, "PYTHONPATH": f"{ROOT / '.src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


_FULL = """
import sys
from pathlib import Path
from threerc.runtime.errors import StoreLost
from threerc.runtime.stores.directory import DirectoryStore

disk = Path(sys.argv[1])
store = DirectoryStore.create(disk / "ha")
store.put("vm/gridce", {"n": 1}, 0)
store.publish("gridce", "before")
store.log(["before"], [{"n": 1}])
files = set(disk.rglob("*"))
ballast = disk / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(512)): pass
    except OSError:
        pass
for call in (
    lambda: store.put("vm/gridce", {"n": 2}, 1),
    lambda: store.put("vm/gridce", {"n": "x" * 9000}, 1),
    lambda: store.publish("gridce", "after"),
    lambda: store.log(["x" * 9000], []),
    lambda: store.log([], [{"n": "x" * 9000}]),
):
    try:
        call()
        print("written")
    except StoreLost as lost:
        print(str(lost).partition(": ")[2].partition(" (")[0])
print(store.get("vm/gridce").value, store.published("gridce"))
ballast.unlink()
print(files ^ set(disk.rglob("*")))
print(store.put("vm/gridce", {"n": 2}, 1))
store.publish("gridce", "after")
store.log(["after"], [{"n": 2}])
print(store.get("vm/gridce").value, store.published("gridce"))
print([line[:9] for line in (disk / "ha/log").read_text().splitlines()])
print([event["n"] for event in store.events()])
print(sorted(path.suffix for path in (disk / "ha/state/vm/gridce").glob("*.json")))
"""


@requires_real()
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    *told, before, left, version, after, lines, events, values = on_a_small_disk(
        tmp_path / "d", _FULL
    )
    assert told == ["No space left on device"] * 5
    assert before == "{'n': 1} before"
    assert left == "set()"
    assert version == "2"
    assert after == "{'n': 2} after"
    assert lines == "['before', 'xxxxxxxxx', 'after']"
    assert events == "[1, 2]"
    assert values == "['.json', '.json']"
