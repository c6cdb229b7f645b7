"""What was applied to a site, when and by whom, and the trees of the last times.

history.json        one entry for each time, the oldest first
generations/N       the tree of that time, as `3rc build` had written it
applied             a link to the one that the site has; `3rc plan --against` takes it
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TextIO

from threerc.compiler.generation import MANIFEST, replace_file
from threerc.rollout.agent import locks
from threerc.rollout.errors import RolloutError
from threerc.rollout.tree import Tree

KEPT: Final = 20
"""How many trees are kept; the entries of all times are."""
Result = Literal["begun", "applied", "rolled back"]


@dataclass(frozen=True)
class Time:
    """One time that something was applied. `run` names it on the hosts.

    `begun` is the result of one that was killed; some hosts may have it, until the next one.
    """

    number: int
    run: str
    who: str
    when: str
    commit: str
    summary: str
    result: Result
    why: str = ""


class History:
    """The folder of a site's history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._generations = folder / "generations"
        self._applied = folder / "applied"

    @contextmanager
    def exclusive(self, *, dry: bool = False) -> Iterator[None]:
        """Be the only one who applies from here; in a `dry` run without making the folder.

        Raises RolloutError, also for a full disk.
        """
        if dry and not self.folder.exists():
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.folder / "lock").open("a+", encoding="utf-8") as handle:
                _take(handle)
                yield
        except OSError as error:
            raise RolloutError(f"{error.filename or self.folder}: {error.strerror}") from None

    def times(self) -> list[Time]:
        """All times, the oldest first. Raises RolloutError."""
        try:
            text = (self.folder / "history.json").read_text(encoding="utf-8")
            return [Time(**each) for each in json.loads(text)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RolloutError(f"{error.filename}: {error.strerror}") from None
        except (ValueError, TypeError) as error:
            raise RolloutError(f"{self.folder / 'history.json'} is damaged: {error}") from None

    def applied(self) -> Path | None:
        """The tree that the site has, as far as it was applied from here."""
        return self._applied if self._applied.is_dir() else None

    def current(self) -> int | None:
        """Its number."""
        with suppress(OSError, ValueError):
            return int(os.readlink(self._applied).rpartition("/")[2])
        return None

    def has(self, tree: Tree) -> bool:
        """Whether a tree is what the site has."""
        try:
            return (self._applied / MANIFEST).read_text(encoding="utf-8") == tree.manifest
        except OSError:
            return False

    def tree(self, number: int) -> Path:
        """The tree of a time. Raises RolloutError where it is not kept."""
        folder = self._generations / str(number)
        if not folder.is_dir():
            known = ", ".join(str(each) for each in self._kept()) or "none"
            raise RolloutError(f"there is no generation {number} (there are: {known})")
        return folder

    def before(self) -> int:
        """The generation that was applied before the current one. Raises RolloutError."""
        applied = [each.number for each in self.times() if each.result == "applied"]
        current = self.current()
        earlier = [number for number in applied if current is None or number < current]
        if not earlier:
            raise RolloutError("there is no generation before this one")
        return earlier[-1]

    def begin(self, tree: Tree, summary: str, commit: str) -> Time:
        """Note that a tree is about to be applied, and keep it. Raises OSError, RolloutError."""
        times = self.times()
        number = times[-1].number + 1 if times else 1
        new = self._generations / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        tree.copy(new)
        place = self._generations / str(number)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
        now = datetime.now(UTC)
        run = f"{number}-{now:%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"
        when = now.isoformat(timespec="seconds")
        time = Time(number, run, who(), when, commit, summary, "begun")
        self._write([*times, time])
        return time

    def note(self, time: Time, result: Result, why: str = "") -> None:
        """Note what came of it; only what was applied is kept as a tree."""
        noted = replace(time, result=result, why=why)
        if result == "applied":
            link = self.folder / "applied.new"
            link.unlink(missing_ok=True)
            link.symlink_to(f"generations/{time.number}")
            link.replace(self._applied)
        self._write([noted if each.number == time.number else each for each in self.times()])
        self._prune()

    def _write(self, times: list[Time]) -> None:
        lines = ",\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in times)
        replace_file(self.folder / "history.json", f"[\n{lines}\n]\n")

    def _kept(self) -> list[int]:
        with suppress(FileNotFoundError):
            return sorted(int(p.name) for p in self._generations.iterdir() if p.name.isdigit())
        return []

    def _prune(self) -> None:
        useful = {each.number for each in self.times() if each.result == "applied"}
        for number in sorted(set(self._kept()) - {self.current()}, reverse=True):
            if number not in useful or len([n for n in useful if n > number]) >= KEPT:
                shutil.rmtree(self._generations / str(number), ignore_errors=True)


def _take(handle: TextIO) -> None:
    """Lock a file and write into it who has it. Raises RolloutError, OSError."""
    if not locks.take(handle.fileno()):
        handle.seek(0)
        by = handle.read() or "somebody"
        raise RolloutError(f"another apply of this site is under way, by {by}")
    handle.truncate(0)
    handle.write(f"{who()} since {datetime.now(UTC).isoformat(timespec='seconds')}")
    handle.flush()


def who() -> str:
    """Who does this, from where."""
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{user}@{os.uname().nodename}"
