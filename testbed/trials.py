"""One real crash after another, as they are written down: a campaign's history.

A history is a file of JSON lines that only grows, so that a killed campaign goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from threerc.runtime.simulation.campaign import Crash
from threerc.testbed.errors import TestbedError


@dataclass(frozen=True)
class Trial:
    """One crash: what was done to whom, how it was recovered, and what of that was not right.

    `crash.total` is None where it did not recover. `wrong` has a sentence for each check that did
    not hold; `story` is what was seen, for people, and `logs` the ends of the logs of a trial that
    was not right.
    """

    number: int
    fault: str
    profile: str
    crash: Crash
    step: str = ""
    before: str = ""
    after: str = ""
    reacted: float | None = None
    """Seconds from the crash to the controllers' first action."""
    given_up: float | None = None
    """When nobody waited for it any more, where it did not recover: seconds since the epoch."""
    wrong: tuple[str, ...] = ()
    story: tuple[str, ...] = ()
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """When it was back, or given up, in seconds since the epoch."""
        if self.crash.total is not None:
            return self.crash.at + self.crash.total
        return self.crash.at if self.given_up is None else self.given_up

    @property
    def good(self) -> bool:
        """Whether it recovered, and everything was as it has to be."""
        return self.crash.total is not None and not self.wrong


def append(path: Path, *trials: Trial) -> None:
    """Write trials down, safe from a crash of the machine; whole or, with an OSError, not."""
    left = "".join(json.dumps(asdict(each), sort_keys=True) + "\n" for each in trials).encode()
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def resume(path: Path) -> list[Trial]:
    """The trials so far; a last line that a killed campaign wrote half is cut off.

    Raises TestbedError, OSError.
    """
    if not path.exists():
        return []
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if whole != written:
        os.truncate(path, len(whole))
    return list(_parsed(path, whole.decode().splitlines()))


def _parsed(path: Path, lines: Iterable[str]) -> Iterator[Trial]:
    for number, line in enumerate(lines, 1):
        try:
            yield _trial(line)
        except (ValueError, KeyError, TypeError) as error:
            raise TestbedError(f"{path}:{number}: no trial of ours: {error}") from None


def _trial(line: str) -> Trial:
    value = json.loads(line)
    crash = Crash(**value.pop("crash"))
    wrong, story = tuple(value.pop("wrong")), tuple(value.pop("story"))
    return Trial(**value, crash=crash, wrong=wrong, story=story)
