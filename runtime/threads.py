"""Jobs at the same time, each with a deadline: one dead host never delays the rest."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from threerc.runtime.errors import ControllerError, Unreachable
from threerc.runtime.world import Job

MOST: Final = 64
"""How many jobs run at the same time: each is a process of ssh."""


def together(jobs: Mapping[str, Job], seconds: float) -> dict[str, Any]:
    """Run jobs at the same time; each result or ControllerError under the job's name.

    What is not done after `seconds` is an Unreachable. Such a job goes on by itself until the
    time-out of what it waits for; jobs not begun by then never are.
    """
    if not jobs:
        return {}
    pool = ThreadPoolExecutor(min(MOST, len(jobs)), thread_name_prefix="3rc")
    try:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        wait(futures.values(), timeout=seconds)
        return {name: _result(future, seconds) for name, future in futures.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[Any], seconds: float) -> Any:
    if not future.done():
        return Unreachable(f"not done within {seconds:g} s")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ControllerError):
        return error
    raise error
