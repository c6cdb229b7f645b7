"""The folders of testbed runs: made, found, and removed when nobody lives in them.

A run is alive while somebody holds the lock of its folder: the client that starts it, then its lab.
The kernel lets go of the lock when they die, however they die.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import LabSpec

JOURNAL: Final = "journal.json"
SOCKET: Final = "lab.sock"
EVENTS: Final = "events.jsonl"
_SPEC: Final = "lab.json"
_LOCK: Final = "lock"
_ADDRESSES: Final = "addresses.json"
_DEATH_SECONDS: Final = 20.0
_ADAPTER: Final = TypeAdapter(LabSpec)


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder, `<site>-<id>`."""

    folder: Path

    @property
    def id(self) -> str:
        """What tells it from the others."""
        return self.folder.name.rpartition("-")[2]

    @property
    def site(self) -> str:
        """The site that it runs."""
        return self.folder.name.rpartition("-")[0]

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.folder / "logs"

    @property
    def events(self) -> Path:
        """The file of all events."""
        return self.folder / EVENTS

    @property
    def socket(self) -> Path:
        """Where its lab is talked to."""
        return self.folder / SOCKET

    @property
    def starting(self) -> Path:
        """It is there while the site's machines are started for the first time."""
        return self.folder / "starting"

    def write_spec(self, spec: LabSpec) -> None:
        """Leave for the lab what to build. Raises OSError."""
        (self.folder / _SPEC).write_bytes(_ADAPTER.dump_json(spec, indent=1))

    def read_spec(self) -> LabSpec:
        """What to build. Raises OSError, ValueError."""
        return _ADAPTER.validate_json((self.folder / _SPEC).read_bytes())

    def write_addresses(self, addresses: Mapping[str, str]) -> None:
        """Keep where the hosts are, by name. Raises OSError."""
        (self.folder / _ADDRESSES).write_text(json.dumps(addresses, indent=1), encoding="utf-8")

    def addresses(self) -> dict[str, str]:
        """Where the hosts are; nothing where nobody has told. Raises OSError, ValueError."""
        file = self.folder / _ADDRESSES
        found: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}
        return found

    def journal(self, pid: int) -> None:
        """Note the process that all of the run dies with. Raises OSError."""
        new = self.folder / f".{JOURNAL}"
        entry = {"pid": pid, "started": _started(pid), "boot": _boot()}
        new.write_text(json.dumps(entry), encoding="ascii")
        new.replace(self.folder / JOURNAL)

    def process(self) -> int | None:
        """The process that all of the run dies with, if it lives: never another of that number."""
        try:
            entry = json.loads((self.folder / JOURNAL).read_bytes())
            pid = int(entry["pid"])
        except (OSError, ValueError, KeyError):
            return None
        same = entry.get("boot") == _boot() and entry.get("started") == _started(pid)
        return pid if same else None

    def lives(self) -> bool:
        """Whether somebody starts it, or it runs."""
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def has_lab(self) -> bool:
        """Whether its lab was started; before that, a client prepares it."""
        return self.process() is not None or any(self._lab())

    def await_death(self, seconds: float = _DEATH_SECONDS) -> None:
        """Wait until nothing of it lives; TestbedError if that takes too long."""
        deadline = time.monotonic() + seconds
        pid = self.process()
        if pid is not None:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                try:
                    select.select([descriptor], [], [], seconds)
                finally:
                    os.close(descriptor)
        while self.lives():
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.folder.name}: not dead after {seconds:.0f} s")
            time.sleep(0.02)

    def kill(self) -> None:
        """End all of it at once, and wait until nothing of it lives."""
        pid = self.process()
        # The lab's own too: it may have lost its parent before it was tied to that one's life.
        for each in {*self._lab(), *([] if pid is None else [pid])}:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.await_death()

    def _lab(self) -> Iterator[int]:
        """The processes that were started as the lab of this folder, and are so still."""
        arguments = b"\0threerc.testbed.lab\0" + os.fsencode(self.folder) + b"\0"
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if arguments in (folder / "cmdline").read_bytes():
                    yield int(folder.name)

    def remove(self) -> None:
        """Remove its folder, and its entry in the list of runs. Raises OSError."""
        entry = base() / self.folder.name
        if entry.is_symlink():
            entry.unlink()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def base() -> Path:
    """Where runs are listed, each by its folder or a symlink to it (XDG Base Directory Spec.)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local/state") / "3rc/testbed"


@contextmanager
def create(site: str, work: Path | None = None) -> Iterator[tuple[Run, int]]:
    """A new run below `work` or `base()`, and its lock's file descriptor, for its lab to inherit.

    If nobody has inherited it by the end of the block, the run is over. Raises OSError.
    """
    run = Run((work or base()).resolve() / f"{site}-{secrets.token_hex(3)}")
    with _listing():
        run.folder.mkdir(mode=0o700, parents=True)
        if work is not None:
            (base() / run.folder.name).symlink_to(run.folder)
        run.logs.mkdir()
        lock = os.open(run.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield run, lock
    finally:
        os.close(lock)


def known() -> list[Run]:
    """All runs that are listed, the dead ones too."""
    if not base().is_dir():
        return []
    entries = sorted(path for path in base().iterdir() if "-" in path.name)
    return [Run(path.readlink() if path.is_symlink() else path) for path in entries]


def find(run_id: str | None = None) -> Run:
    """The run of this id, or the only one that lives. TestbedError if there is no such one."""
    living = [run for run in known() if run.lives()]
    found = [run for run in living if run_id in {None, run.id, run.folder.name}]
    if len(found) == 1:
        return found[0]
    if not living and os.geteuid() != 0:
        raise TestbedError("only root sees the testbeds that run (try: sudo 3rc ...)")
    there = ", ".join(f"{run.id} ({run.site})" for run in living) or "none"
    if run_id is not None:
        raise TestbedError(f"no testbed {run_id} runs (running: {there})")
    if not found:
        raise TestbedError("no testbed runs; start one with `3rc testbed up SITE`")
    raise TestbedError(f"several testbeds run: choose by --run ID (running: {there})")


def remove_dead() -> list[Run]:
    """Remove what runs have left in which nobody lives; which they were. Raises OSError."""
    removed = []
    if base().is_dir():
        with _listing():
            for run in known():
                if not run.lives():
                    run.remove()
                    removed.append(run)
    return removed


@contextmanager
def _listing() -> Iterator[None]:
    """Keep others from changing the list of runs."""
    base().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(base() / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _started(pid: int) -> int | None:
    """When a process was started, in the kernel's clock ticks; None if there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(words.rpartition(")")[2].split()[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
