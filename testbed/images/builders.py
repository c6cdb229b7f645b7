"""How the programs that make an image are run: they die with who makes it, however that dies."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Final

_TIED: Final = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    # What they mount and start goes with them.
    *("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "--"),
)


def run_builder(
    command: Sequence[str],
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end. Needs root. Raises OSError."""
    return subprocess.run(
        [*_TIED, *command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        check=False,
        close_fds=False,  # the cache's lock is held until it is dead
    )
