"""Programs of a host, each within a time; daemons that they start may outlive them."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress

SECONDS = 60.0
"""For one program, unless it is told otherwise."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def found(program: str) -> bool:
    """Whether the host has a program."""
    return shutil.which(program, path=_PATH) is not None


def runs(program: str) -> bool:
    """Whether a process of that name runs here."""
    return any(_name(process) == program for process in os.listdir("/proc") if process.isdigit())


def _name(process: str) -> str:
    """The name of a process; none of one that has ended. Source: proc(5), /proc/PID/stat."""
    with suppress(OSError), open(f"/proc/{process}/stat", errors="replace") as stream:
        name, _, rest = stream.read().rpartition(") ")
        return "" if rest.startswith("Z") else name.partition("(")[2]
    return ""


def run(*command: str, seconds: float = SECONDS) -> str | None:
    """Run a program: None where it succeeds, else its complaint in a line."""
    # A file and no pipe: a daemon that it starts would hold the pipe open for ever.
    with open(os.memfd_create("said"), "w+b") as said:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": _PATH, "LC_ALL": "C"},
                cwd="/",
                timeout=seconds,
                start_new_session=True,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)}: not done within {seconds:g} s"
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        if status == 0:
            return None
        said.seek(0)
        lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
        text = "; ".join(line for line in lines if line)[-300:]
        return f"{' '.join(command)}: {text or f'exit status {status}'}"
