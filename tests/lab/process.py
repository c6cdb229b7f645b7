"""Programs of the lab: finding them, running them to their end, keeping them in the background."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "dhclient": "isc-dhcp-client",
    "dhcpd": "isc-dhcp-server",
    "in.tftpd": "tftpd-hpa",
    "ip": "iproute2",
    "kea-dhcp4": "kea-dhcp4-server",
    "kea-dhcp6": "kea-dhcp6-server",
    "qemu-system-x86_64": "qemu-system-x86",
    "radvd": "radvd",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}

_CALL_SECONDS: Final = 30
_END_SECONDS: Final = 5
_POLL_SECONDS: Final = 0.02
_LOG_TAIL_CHARACTERS: Final = 4000
_TERMINAL_CODES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class LabError(RuntimeError):
    """The lab could not be set up, or what it waited for did not happen."""


def program(name: str) -> str:
    """The path of one of `PACKAGES`; the daemons are in sbin, also where PATH lacks it."""
    folders = (os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")
    path = shutil.which(name, path=os.pathsep.join(folders))
    if path is None:
        raise LabError(f"{name} not found (Debian: {PACKAGES[name]})")
    return path


def call(name: str, *arguments: str) -> str:
    """Run one of `PACKAGES` to its end and return its output; LabError if it fails."""
    result = subprocess.run(
        [program(name), *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=_CALL_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise LabError(f"{name} {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a command running, its output in `log`, until the block is left."""
    # The kernel kills it if this process dies without leaving the block.
    tied = [program("setpriv"), "--pdeathsig", "KILL", "--", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            tied,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def wait_until(
    condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes], seconds: float
) -> float:
    """Seconds until `condition` held; LabError when time is up or `process` has ended before."""
    start = time.monotonic()
    while not condition():
        waited = time.monotonic() - start
        status = process.poll()
        if status is not None and not condition():
            raise LabError(f"ended with status {status} after {waited:.1f} s, before {what}")
        if waited > seconds:
            raise LabError(f"waited {waited:.1f} s in vain for {what}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - start


def tail(log: Path) -> str:
    """The end of a log, under its name, for a message about a failure."""
    return f"--- {log.name}\n{printed(log)[-_LOG_TAIL_CHARACTERS:].strip()}\n"


def printed(log: Path) -> str:
    """The text of a log without the codes that move a terminal's cursor or set its colours."""
    return _TERMINAL_CODES.sub("", log.read_bytes().decode("utf-8", errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, at first politely, and then what is left of its group."""
    process.terminate()
    if process.returncode is not None:  # it had ended by itself, and is reaped
        return
    deadline = time.monotonic() + _END_SECONDS
    while not _has_ended(process) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    # It is not reaped yet: its id, which is that of the group, cannot be another's by now.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
