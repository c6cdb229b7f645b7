"""Jobs side by side: one that hangs holds up neither the rest nor the end of the process."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import Counter
from functools import partial

import pytest

from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.threads import MOST, PER_HOST, together


def test_jobs_run_side_by_side() -> None:
    """Each waits for all others: one after another they would never end."""
    barrier = threading.Barrier(MOST)
    found = together({str(n): lambda: barrier.wait(20) for n in range(MOST)}, 30)
    assert sorted(found.values()) == list(range(MOST))


def test_one_that_hangs_does_not_hold_up_the_rest() -> None:
    release = threading.Event()
    try:
        found = together({"hangs": release.wait, "works": lambda: 7}, 0.2)
    finally:
        release.set()
    assert found["works"] == 7
    assert isinstance(found["hangs"], Unreachable)
    assert str(found["hangs"]) == "not done within 0.2 s"


def test_as_many_as_may_run_hang_and_another_one_has_its_turn() -> None:
    release = threading.Event()
    try:
        hanging = {f"h{n:03}": release.wait for n in range(MOST)}
        found = together({**hanging, "z": lambda: 7}, 4)
    finally:
        release.set()
    assert found["z"] == 7


def test_a_host_takes_only_a_few_at_a_time() -> None:
    """An sshd drops what is more; and its host, where it hangs, leaves room for the others."""
    lock, now, most = threading.Lock(), Counter[str](), Counter[str]()
    together_on_b = threading.Barrier(PER_HOST)

    def work(host: str) -> str:
        with lock:
            now[host] += 1
            most[host] = max(most[host], now[host])
        if host == "b":
            together_on_b.wait(20)
        with lock:
            now[host] -= 1
        return host

    hosts = {f"{host}{n}": host for host in "ab" for n in range(4 * PER_HOST)}
    found = together({job: partial(work, host) for job, host in hosts.items()}, 60, hosts)
    assert found == hosts
    assert most["b"] == PER_HOST
    assert most["a"] <= PER_HOST


def test_what_a_job_raises_is_its_own_answer(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> None:
        raise Refused("no")

    def fail() -> None:
        raise ZeroDivisionError("by nought")

    with caplog.at_level(logging.ERROR):
        found = together({"a": fail, "b": refuse, "c": lambda: 7}, 5)
    assert isinstance(found["a"], Unreachable)
    assert str(found["a"]) == "ZeroDivisionError: by nought"
    assert isinstance(found["b"], Refused)
    assert found["c"] == 7
    assert "ZeroDivisionError" in caplog.text


def test_nobody_waits_for_what_hangs_when_the_process_ends() -> None:
    """Neither for a job, nor for a program of one; which does not outlive us either."""
    code = """
from threerc.runtime.programs import run
from threerc.runtime.threads import together
import threading
hang = threading.Event().wait
program = lambda: run(["sh", "-c", "echo >&2; sleep 1000"], 1000)
print(*together({"job": hang, "program": program}, 1).values())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.count("not done within 1 s") == 2
    assert not ended.stderr


def test_a_program_dies_with_the_controller() -> None:
    """Its output is ours here: were it alive, we would read on."""
    code = """
from threerc.runtime.programs import run
from threerc.runtime.threads import together
import os
together({"program": lambda: run(["sh", "-c", f"echo here >/proc/{os.getpid()}/fd/1; "
    f"exec sleep 1000 >/proc/{os.getpid()}/fd/1"], 1000)}, 1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "here\n"
