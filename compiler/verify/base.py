"""What a checker is: a daemon's own program, run on the files that the daemon will read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from threerc.compiler.tree import Entry

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin")
TIMEOUT = 120


class Failure(NamedTuple):
    """A file that its daemon would refuse. `path` is `<host>/<path>`; line 0 is unknown."""

    path: str
    line: int
    message: str


class CannotRun(Exception):
    """A checker's program is missing, or this machine does not let it check; the text says why."""


class Checker(NamedTuple):
    """A check of one artefact's files.

    `program` is looked up on PATH and in the system folders when a file is there for it; empty
    means that 3RC itself reads the files back. `package` is the Debian package that has the
    program. `run` yields what the program refuses.
    """

    artefact: str
    program: str
    package: str
    run: Callable[[Staged], Iterator[Failure]]


class Staged(NamedTuple):
    """A tree on the disk, before it is switched to, and the checker that looks at it.

    `promised` are the paths that the tree does not hold and says so.
    """

    root: Path
    entries: Mapping[str, Entry]
    checker: Checker
    promised: frozenset[str] = frozenset()

    @property
    def program(self) -> str:
        """Where the checker's program is. Raises CannotRun."""
        found = find_program(self.checker.program)
        if found is None:
            raise CannotRun(f"{self.checker.program} not found (Debian: {self.checker.package})")
        return found

    def files(self, artefact: str) -> Iterator[tuple[str, Path]]:
        """The files of an artefact: `<host>/<path>` and where it lies now; links left out."""
        for path, entry in sorted(self.entries.items()):
            if entry.artefact == artefact and entry.target is None:
                yield path, self.root / path

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the program with a clean environment and a time limit; its exit is the caller's.

        Raises CannotRun, and TimeoutExpired.
        """
        return run_program(self.program, *arguments, cwd=cwd, **environment)


def run_program(
    program: str, *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run any program as Staged.run does."""
    return subprocess.run(
        [program, *map(str, arguments)],
        cwd=cwd,
        env={"PATH": os.pathsep.join(_SYSTEM_FOLDERS), "LC_ALL": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
    )


def find_program(name: str) -> str | None:
    """Where a program is: on PATH, beside our own Python, or in the system's sbin folders."""
    beside = str(Path(sys.executable).parent)
    folders = [os.environ.get("PATH", ""), beside, *_SYSTEM_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(folders))
