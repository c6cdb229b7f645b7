"""The hosts that are changed together: a step on all of them at once, in bounded time."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from threerc.rollout import package
from threerc.rollout.sessions import Answer, Folder, Pipe, Session
from threerc.rollout.tree import Way, Ways
from threerc.runtime.config import Ssh
from threerc.runtime.errors import ControllerError, Unreachable
from threerc.runtime.remote import Remote
from threerc.runtime.threads import together

PATIENCE: Final = 2.5
"""How often the time for a step a host waits for the next one before it undoes."""
_TO_SERVE: Final = 0.25
"""The part of the time for a step in which a daemon that was told has to serve."""
Opener = Callable[[str], Session]


class Roads:
    """How sessions with hosts are opened: by ssh, and without it on this very host."""

    def __init__(self, ways: Ways, seconds: float, key: Path | None = None) -> None:
        self._ways = ways
        self._seconds = seconds
        self._key = key
        self._me = os.uname().nodename.partition(".")[0]
        self._folder = tempfile.TemporaryDirectory(prefix="3rc-apply-")

    def __call__(self, host: str) -> Session:
        """A session with a host. Raises Unreachable."""
        command = package.command(host, self._seconds * PATIENCE)
        if host == self._me:
            return Pipe(host, (sys.executable, *command[1:]))
        return Pipe(host, self._remote(host).command(command))

    def _remote(self, host: str) -> Remote:
        way = self._ways.to(host)
        settings = self._ways.ssh() | {"key": str(self._key) if self._key else None}
        ssh = Ssh.model_validate(settings)
        return Remote(host, way.address, ssh, self._seconds, self._known_hosts(host, way))

    def _known_hosts(self, host: str, way: Way) -> str | None:
        """A file with the host's keys as the site has them; None for ssh's own."""
        if not way.keys:
            return None
        file = Path(self._folder.name) / host
        keys = (" ".join(key.split()[:2]) for key in way.keys)
        file.write_text("".join(f"{host} {key}\n" for key in keys), encoding="utf-8")
        return str(file)


class Folders:
    """Sessions with hosts whose file systems are folders below one; in a `dry` run none is made."""

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        self._root = root
        self._dry = dry

    def __call__(self, host: str) -> Session:
        """A session with a host."""
        folder = self._root / host
        if not self._dry:
            folder.mkdir(parents=True, exist_ok=True)
        return Folder(host, str(folder))


@dataclass
class Fleet:
    """Sessions with hosts. `lost` are those that were lost on the way, with why.

    In a `dry` run nothing is changed on the hosts, but what an apply that was killed had left half
    done is undone.
    """

    open: Opener
    seconds: float
    dry: bool = False
    sessions: dict[str, Session] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        together({name: self.sessions[name].close for name in self.sessions}, self.seconds)
        self.sessions.clear()

    def begin(self, hosts: Iterable[str], who: str) -> dict[str, Answer | ControllerError]:
        """Open a session with each host; those that cannot be had are in the answers."""

        def start(host: str) -> Answer:
            session = self.open(host)
            self.sessions[host] = session
            serve = self.seconds * _TO_SERVE
            return session.ask("begin", self.seconds, who=who, serve=serve, dry=self.dry)

        found = self._together({host: partial(start, host) for host in hosts})
        for host in [name for name, said in found.items() if isinstance(said, Exception)]:
            self._drop(host)
        return found

    def each(
        self, hosts: Iterable[str], do: Callable[[Session], Any]
    ) -> dict[str, Any | ControllerError]:
        """Do something with each of these hosts at the same time; errors are among the answers."""
        jobs = {host: partial(do, self.sessions[host]) for host in hosts}
        found = self._together(jobs)
        for host, said in found.items():
            if isinstance(said, Unreachable):
                self.lost[host] = str(said)
                self._drop(host)
        return found

    def step(self, hosts: Iterable[str], step: str) -> dict[str, Answer | ControllerError]:
        """One step without arguments."""
        return self.each(hosts, lambda session: session.ask(step, self.seconds))

    def _together(self, jobs: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        # Each job ends by itself in that time; what is longer is a machine without a free core.
        return together(jobs, self.seconds * 1.5)

    def _drop(self, host: str) -> None:
        session = self.sessions.pop(host, None)
        if session is not None:
            with suppress(OSError):
                session.close()
