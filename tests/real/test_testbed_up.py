"""What brings a site up and is interrupted, during the first start or later, leaves nothing."""

from __future__ import annotations

import json
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.testbed import traces
from threerc.testbed import client, events, runs
from threerc.testbed.events import Kind

pytestmark = requires_real()

SITE = ROOT / "examples/ci/site.yaml"
UP_SECONDS = 240.0
SESSION_SECONDS = 900.0
LONGEST = 8.0
"""Seconds within which no machine is installed."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / f"lab-{secrets.token_hex(4)}"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    yield folder
    for run in runs.known():
        run.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_up_that_dies_during_the_first_start(folder: Path, how: signal.Signals) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it beside a failure
    program = Path(sys.executable).with_name("3rc")
    command = [str(program), "testbed", "up", str(SITE), "--vms", "vm1", "--profile", "fast"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as up:
        await_started("vm1", up)
        it_is_not_crashed_yet(program)
        time.sleep(random.Random(seed).uniform(0, LONGEST))  # noqa: S311
        up.send_signal(how)
        _, said = up.communicate()
    assert up.returncode != 0, said
    assert traces.left(folder.name) == []
    client.clean()
    assert runs.known() == []


def it_is_not_crashed_yet(program: Path) -> None:
    """Or `up` would wait in vain for its machine."""
    testbed = (str(program), "testbed")
    told = subprocess.run([*testbed, "status", "--json"], capture_output=True, check=True).stdout
    assert json.loads(told)["state"] == "starting"
    crash = [*testbed, "crash", "vm1", "poweroff"]
    done = subprocess.run(crash, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "still starts its machines" in done.stderr


USERS_TEST = """
import os, signal

def test_mine(site):
    site.vm("vm1").crash("freeze")
    print("crashed", site.vm("vm1").host)
    os.kill(os.getpid(), signal.SIGINT)
    site.wait_recovered("vm1", within=200)
"""


def test_a_session_of_tests_that_is_interrupted_ends_its_site(folder: Path) -> None:
    (folder / "test_mine.py").write_text(USERS_TEST, encoding="utf-8")
    (folder / "pytest.ini").write_text(
        f"[pytest]\ntestbed_site = {SITE}\ntestbed_vms = vm1\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SESSION_SECONDS, check=False
    )
    assert "crashed ph1" in done.stdout, done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert traces.left(folder.name) == []
    assert runs.known() == []


def await_started(vm: str, up: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while not any(
        event.kind is Kind.STARTED and event.of == vm
        for run in runs.known()
        for event in events.read(run.events)
    ):
        assert up.poll() is None, up.stderr and up.stderr.read()
        assert time.monotonic() < deadline, f"{vm} was not started"
        time.sleep(0.1)
