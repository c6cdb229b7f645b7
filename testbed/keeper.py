"""A daemon of a capsule: started, watched, started again where its init system would do so."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Kind
from threerc.testbed.parts import Daemon, Ready
from threerc.testbed.process import FOLDERS, Process, call, tail

_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 5.0
_RESTART_SECONDS: Final = 1.0
_TCP_LISTENS: Final = "0A"


class Home(Protocol):
    """The capsule that a daemon runs in."""

    name: str

    @property
    def init(self) -> int | None:
        """The id of its process 1, while it is on."""

    def enter(self, command: Sequence[str]) -> list[str]:
        """The command that runs one in it."""

    def tell(self, kind: Kind, what: str) -> None:
        """Write down what happened."""


class Keeper:
    """One daemon. `log` grows over all its starts."""

    def __init__(self, home: Home, daemon: Daemon, log: Path) -> None:
        self.daemon = daemon
        self.log = log
        self.restarts = 0
        self.stays_off = False
        """Whether somebody has stopped it: then it does not start with its host either."""
        self._instead: dict[str, str] = {}
        self._home = home
        self._process: Process | None = None
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.status is None

    @property
    def ended(self) -> int | None:
        """How its last process ended, if it was started and does not run."""
        return None if self._process is None else self._process.status

    async def start(self) -> None:
        """Start it and wait until it serves; TestbedError if it does not, with its log's end.

        Who stops it meanwhile ends the waiting.
        """
        async with self._starting:
            # One that runs may have been started anew a moment ago, and not serve yet.
            process, offset = (self._process, 0) if self.running else await self._start()
            if process is not None:
                await self._await_serving(process, offset)

    async def _start(self) -> tuple[Process | None, int]:
        """Its process, and where the log of that begins; no process where it was stopped."""
        for command in self.daemon.start:
            await self._prepare(command)
        offset = self.log.stat().st_size if self.log.exists() else 0
        await self._unwatch()
        if self.stays_off:
            return None, offset
        self._process = self._launch()
        self._watch = asyncio.create_task(self._watched(self._process))
        return self._process, offset

    async def _await_serving(self, process: Process, offset: int) -> None:
        try:
            async with asyncio.timeout(self.daemon.seconds):
                while not (self.stays_off or await self._serves(offset)):
                    if self.stays_off:  # since it was asked
                        return
                    self._must_run(process)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            wanted = self.daemon.ready
            what = f"waited {self.daemon.seconds:.0f} s in vain for {_words(wanted)}"
            raise TestbedError(f"{self._name}: {what}\n{tail(self.log)}") from None

    async def permit(self, instead: Mapping[str, str]) -> None:
        """Let it start again after `stop`, with other words in place of some of its command's.

        TestbedError where its command has no such word.
        """
        unknown = sorted(instead.keys() - {*self.daemon.command})
        if unknown:
            raise TestbedError(f"{self._name}: its command has no {unknown[0]}")
        if instead != self._instead:
            await self.stop()
            self._instead = dict(instead)
        self.stays_off = False

    async def stop(self) -> None:
        """End it, politely at first; it stays stopped, also when its host boots."""
        self.stays_off = True
        await self._unwatch()
        process = self._process
        if process is None:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its main process, if it runs."""
        # The process that we started only went into the capsule and waits there for its child.
        child = self._process.child() if self._process is not None and self.running else None
        if child is not None:
            with suppress(ProcessLookupError):
                os.kill(child, number)
        if number == signal.SIGCONT:
            self.go_on()

    def go_on(self) -> None:
        """Let it notice what becomes of the daemon, as it does not after that was stopped."""
        if self._process is not None:
            self._process.go_on()

    @property
    def _name(self) -> str:
        return f"{self._home.name}: {self.daemon.name}"

    async def _prepare(self, command: Sequence[str]) -> None:
        done = await call(self._home.enter(command), environment=self.daemon.environment)
        with self.log.open("ab") as log:
            log.write(done.output + done.errors)
        if done.status != 0:
            words = " ".join(command)
            raise TestbedError(
                f"{self._name}: `{words}` ended with {done.status}\n{tail(self.log)}"
            )

    def _launch(self) -> Process:
        name, *arguments = (self._instead.get(each, each) for each in self.daemon.command)
        # sshd wants to know its own path; a file laid into the capsule only is found inside.
        command = (shutil.which(name, path=FOLDERS) or name, *arguments)
        with self.log.open("ab") as log:
            return Process(
                self._home.enter(command),
                stdout=log,
                environment=self.daemon.environment,
            )

    def _must_run(self, process: Process) -> None:
        if process.status is not None and not (self.daemon.restart and self._home.init):
            what = f"ended with {process.status} before {_words(self.daemon.ready)}"
            raise TestbedError(f"{self._name}: {what}\n{tail(self.log)}")

    async def _watched(self, process: Process) -> None:
        """Note its end and, where its init system would, start it again."""
        while True:
            started = time.monotonic()
            status = await process.wait()
            if self._home.init is None:
                return
            self._home.tell(Kind.NOTE, f"{self.daemon.name} ended with {status}")
            if not self.daemon.restart:
                return
            await asyncio.sleep(max(0.0, started + _RESTART_SECONDS - time.monotonic()))
            if self._home.init is None:
                return
            process = self._process = self._launch()
            self.restarts += 1

    async def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None

    async def _serves(self, offset: int) -> bool:
        ready, init = self.daemon.ready, self._home.init
        if ready is None or init is None:
            return True
        if ready.kind == "log":
            with self.log.open("rb") as log:
                log.seek(offset)
                return ready.value.encode() in log.read()
        if ready.kind == "path":
            return (await call(self._home.enter(("test", "-e", ready.value)))).status == 0
        return _listens(init, ready.kind, ready.value)


def _words(ready: Ready | None) -> str:
    if ready is None:
        return "its start"
    return {
        "udp": f"UDP port {ready.value}",
        "tcp": f"TCP port {ready.value}",
        "path": f"the file {ready.value}",
        "log": f"{ready.value!r} in its log",
    }[ready.kind]


def _listens(pid: int, kind: str, where: str) -> bool:
    """Whether some socket of a process's network namespace listens: on PORT, or on ADDRESS:PORT."""
    address, _, port = where.rpartition(":")
    wanted = f"{_as_kernel(address) if address else ''}:{int(port):04X}"
    for table in (kind, f"{kind}6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[1].endswith(wanted) and (kind == "udp" or words[3] == _TCP_LISTENS):
                return True
    return False


def _as_kernel(address: str) -> str:
    """An IPv4 address as in /proc/net: its number in the byte order of this machine."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"
