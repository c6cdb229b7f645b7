"""Jobs at the same time, each with a deadline: one dead host never delays the rest.

The threads are nobody's to wait for, not even for the interpreter at its end: a tick from cron is
over at its deadline, whatever still hangs. What it has begun stands in the records as an intent.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from threerc.runtime.errors import ControllerError, Unreachable
from threerc.runtime.world import Job

MOST: Final = 64
"""How many jobs run at the same time, without those that hang: each is a process of ssh."""
MOST_HANGING: Final = 192
PER_HOST: Final = 8
"""Of these on the same host. An sshd drops connections beyond ten (sshd_config, MaxStartups)."""
_PATIENCE: Final = 0.25
"""A job that has taken this share of the time hangs: another one may have its place."""
_log = logging.getLogger(__name__)


def together(
    jobs: Mapping[str, Job], seconds: float, hosts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run jobs at the same time; each result or ControllerError under the job's name.

    `hosts` says on which host a job works. What is not done after `seconds` is an Unreachable,
    and so is a bug, which is logged. A job that is late goes on by itself until the time-out of
    what it waits for; jobs not begun by then never are.
    """
    end = time.monotonic() + seconds
    crowd = _Crowd(jobs, hosts or {}, seconds * _PATIENCE)
    while len(crowd.found) < len(jobs) and (left := end - time.monotonic()) > 0:
        crowd.let_in()
        crowd.wait(min(left, crowd.patience))
    late = f"not done within {seconds:g} s"
    return {name: crowd.found.get(name, Unreachable(late)) for name in jobs}


@dataclass
class _Crowd:
    """The jobs of one call: those that wait, those that run and since when, what came of them."""

    jobs: Mapping[str, Job]
    hosts: Mapping[str, str]
    patience: float
    running: dict[str, float] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    results: SimpleQueue[tuple[str, Any]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self.waiting = dict.fromkeys(self.jobs)
        self.on = Counter[str]()

    def let_in(self) -> None:
        """Begin as many jobs as may run."""
        now = time.monotonic()
        hanging = sum(now - since >= self.patience for since in self.running.values())
        free = MOST - (len(self.running) - min(hanging, MOST_HANGING))
        for name in [*self.waiting]:
            if free <= 0:
                return
            host = self.hosts.get(name, name)
            if self.on[host] < PER_HOST:
                del self.waiting[name]
                free -= 1
                self.on[host] += 1
                self.running[name] = now
                self._begin(name)

    def wait(self, seconds: float) -> None:
        """Take over what has come to its end, and wait for it if nothing has."""
        try:
            self._take(*self.results.get(timeout=seconds))
            while True:
                self._take(*self.results.get_nowait())
        except Empty:
            return

    def _begin(self, name: str) -> None:
        try:
            threading.Thread(target=self._run, args=(name,), daemon=True).start()
        except RuntimeError as error:  # the machine has no thread left for us
            self._take(name, Unreachable(str(error)))

    def _run(self, name: str) -> None:
        self.results.put((name, _result(self.jobs[name])))

    def _take(self, name: str, result: Any) -> None:
        del self.running[name]
        self.on[self.hosts.get(name, name)] -= 1
        self.found[name] = result


def _result(job: Job) -> Any:
    try:
        return job()
    except ControllerError as error:
        return error
    except Exception as error:
        # Of one job, not of the tick: the other machines are brought back all the same.
        _log.exception("a bug: please report it")
        return Unreachable(f"{type(error).__name__}: {error}")
