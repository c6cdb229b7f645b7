"""Whatever ends a testbed, and whenever: nothing of it is left."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.testbed import tiny, traces
from threerc.testbed import client, runs
from threerc.testbed.errors import TestbedError

pytestmark = requires_real()

TIMES = 12
LONGEST = 1.6
"""Seconds that the tiny lab takes to come up, and some more."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / f"lab-{secrets.token_hex(4)}"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    tiny.spec(folder)  # its key takes long
    yield folder
    for run in runs.known():
        run.kill()
    assert traces.left(folder.name) == []


@pytest.fixture
def rng() -> random.Random:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it beside a failure
    return random.Random(seed)  # noqa: S311


@contextmanager
def going_up(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.testbed.tiny", str(folder), *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_client_that_dies_at_any_moment(
    folder: Path, rng: random.Random, how: signal.Signals
) -> None:
    for _ in range(TIMES if how is signal.SIGKILL else 3):
        with going_up(folder) as process:
            time.sleep(rng.uniform(0, LONGEST))
            process.send_signal(how)
            process.wait()
            up = b"up" in (process.stdout.read() if process.stdout else b"")
        if up:
            runs.find().kill()  # it is up, and nobody's any more
        assert traces.left(folder.name) == []
        client.clean()
        assert runs.known() == []


def test_a_client_that_dies_before_it_knows_that_the_lab_is_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab has answered, and nobody has read it."""

    class Died(BaseException):
        pass

    def die(lines: Iterable[dict[str, object]], _: object) -> None:
        for line in lines:
            if "result" in line:
                raise Died

    monkeypatch.setattr(client, "_end", lambda _process: None)
    monkeypatch.setattr(client, "_finish", die)
    with pytest.raises(Died):
        tiny.up(tiny.spec(folder))
    assert traces.left(folder.name) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_client_that_dies_before_it_lets_the_lab_go(folder: Path, how: signal.Signals) -> None:
    """The lab is up, and its machines are being installed."""
    with going_up(folder, "hold") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.send_signal(how)
        process.wait()
    assert traces.left(folder.name) == []
    client.clean()
    assert runs.known() == []


def test_an_up_that_is_killed_while_it_tries_kvm(folder: Path) -> None:
    """Before there is a lab; and the machine that it tries hangs, as one with KVM may."""
    site = str(ROOT / "examples/ci/site.yaml")
    command = [str(Path(sys.executable).with_name("3rc")), "testbed", "up", site, "--vms", "vm1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while len(tried := machines_of(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        for each in tried:
            os.kill(each, signal.SIGSTOP)
        process.kill()
    deadline = time.monotonic() + traces.PATIENCE
    while any(started_as(each) for each in tried):
        assert time.monotonic() < deadline, f"{tried} live on"
        time.sleep(0.05)
    assert traces.left(folder.name) == []
    assert len(client.clean()[0]) == 1
    assert runs.known() == []


def machines_of(parent: int) -> list[int]:
    """The QEMUs that a process has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"qemu-system" in started_as(child)]


def started_as(process: object) -> bytes:
    """The program that a process runs; nothing of one that is dead."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return b""


def test_a_lab_that_is_held_can_be_ended_by_others(folder: Path) -> None:
    with going_up(folder, "hold") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with suppress(TestbedError):  # it may end before it has answered
            client.Testbed(runs.find()).call("down")
        assert traces.left(folder.name) == []


@pytest.mark.parametrize("whom", ["unshare", "tini", "python"])
def test_a_lab_that_is_killed_at_any_moment(folder: Path, rng: random.Random, whom: str) -> None:
    for _ in range(TIMES // 3):
        with going_up(folder) as process:
            time.sleep(rng.uniform(0.3, LONGEST))
            while not (found := lab_processes(folder, whom)):
                time.sleep(0.01)
            os.kill(found[0], signal.SIGKILL)
            assert process.stdout is not None
            if b"up" not in process.stdout.readline():  # else it stays, and is killed
                assert process.wait() == 1
        for run in runs.known() if whom == "unshare" else []:
            run.kill()  # it died so early that its child was not yet tied to it
        assert traces.left(folder.name) == []
        client.clean()
        assert runs.known() == []


def lab_processes(folder: Path, whom: str) -> list[int]:
    """The one of a lab's own three processes."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        its = "threerc.testbed.lab" in words and any(folder.name in word for word in words)
        if its and whom in Path(words[0]).name:
            found.append(int(each.name))
    return found


def test_clean_leaves_alone_what_lives_and_ends_what_hangs(folder: Path) -> None:
    testbed = tiny.up(tiny.spec(folder))
    assert client.clean() == ([], [testbed.run])
    (lab,) = lab_processes(folder, "python")
    os.kill(lab, signal.SIGSTOP)
    assert client.clean(hung_after=0.5) == ([testbed.run], [])
    assert traces.left(folder.name) == []
    assert not testbed.run.folder.exists()


def test_clean_leaves_alone_what_is_being_prepared(folder: Path) -> None:
    assert folder
    with runs.create("tiny") as (run, _):
        assert client.clean() == ([], [run])
        with pytest.raises(TestbedError, match=rf"testbed {run.id} \(tiny\) is still being prep"):
            client.Testbed(runs.find()).down()


def test_clean_waits_for_a_lab_that_has_only_just_started(folder: Path) -> None:
    with going_up(folder) as process:
        while not lab_processes(folder, "unshare"):
            time.sleep(0.01)
        (run,) = runs.known()
        assert client.clean() == ([], [run])
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        run.kill()


def test_who_asks_a_lab_that_hangs_is_told(folder: Path) -> None:
    testbed = tiny.up(tiny.spec(folder))
    (lab,) = lab_processes(folder, "python")
    os.kill(lab, signal.SIGSTOP)
    with pytest.raises(TestbedError, match=r"has said nothing for 0.5 s; `3rc testbed clean` ends"):
        client.Testbed(testbed.run, silence=0.5).down()
    assert client.clean(hung_after=0.5) == ([testbed.run], [])


def test_a_call_may_take_longer_than_a_lab_may_be_silent(folder: Path) -> None:
    testbed = client.Testbed(tiny.up(tiny.spec(folder)).run, silence=1.5)
    assert testbed.execute(tiny.FIRST, "sleep", "3").rc == 0
    testbed.down()


def test_only_root_is_told_that_nothing_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder
    with pytest.raises(TestbedError, match="no testbed runs; start one"):
        runs.find()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TestbedError, match="only root sees the testbeds that run"):
        runs.find()


def test_a_relative_state_folder_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert runs.base() == Path.home() / ".local/state/3rc/testbed"


def test_a_lab_without_its_parent_is_found(folder: Path) -> None:
    testbed = tiny.up(tiny.spec(folder))
    (testbed.run.folder / runs.JOURNAL).unlink()
    testbed.run.kill()
    assert traces.left(folder.name) == []


def test_down_removes_all(folder: Path) -> None:
    work = folder / "a place elsewhere, with: odd \\ characters"
    testbed = tiny.up(tiny.spec(folder), work)
    assert runs.find() == testbed.run
    testbed.down()
    assert traces.left(folder.name) == []
    assert runs.known() == []
    assert list(work.iterdir()) == []


def test_a_number_that_is_anothers_by_now_is_not_killed(folder: Path) -> None:
    with runs.create("tiny") as (run, _), subprocess.Popen(["sleep", "100"]) as other:
        run.journal(other.pid)
        assert run.process() == other.pid
        journal = run.folder / runs.JOURNAL
        journal.write_text(journal.read_text().replace('"started": ', '"started": 1'))
        assert run.process() is None
        other.kill()
    assert folder
    assert runs.remove_dead() == [run]


@pytest.mark.parametrize("filled", [64 << 10, 60 << 10])
def test_a_full_disk_is_told_and_leaves_nothing(folder: Path, tmp_path: Path, filled: int) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=True)
    try:
        (small / "filler").write_bytes(bytes(filled))
        with pytest.raises(TestbedError, match=r"small/tiny-\w+: No space left on device"):
            tiny.up(tiny.spec(folder), small)
        assert traces.left(folder.name) == []
        client.clean()
        assert runs.known() == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
