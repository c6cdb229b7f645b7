"""Watches the virtual machines of one physical host, inside its capsule: libvirt's events, and
their serial consoles.

    python -m threerc.testbed.watching HOST EVENTS LOGS CONSOLES

What happens is appended to the file EVENTS. What a machine says is kept in LOGS/<VM>.console.log,
each line with the time at which it began. CONSOLES/<VM> is a socket: who connects sees what the
machine says from then on, and types to it. The pseudo terminal itself has room for one reader.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from threerc.testbed.events import Event, Kind, append
from threerc.testbed.virsh import VIRSH

_EVENT: Final = re.compile(r"(\S+ \S+): event '([\w-]+)' for domain '?(.+?)'?(?:: (.*))?")
_STARTED: Final = ("Started", "Resumed")
_STOPPED: Final = ("Stopped", "Suspended", "Crashed")
_SAID: Final = re.compile(r"3RC-(INSTALL|BOOT) (\S+)(?: (.*))?")
_SERVICES: Final = frozenset({"ssh", "gmond"})
"""What a machine has to have started, in whatever order, to be up."""
_KERNEL: Final = "] Linux version "
_CHUNK: Final = 1 << 16
_CALL_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.5


def event_of(line: str, host: str) -> Event | None:
    """What a line of `virsh event --timestamp` tells of a machine, if it is of interest."""
    match = _EVENT.fullmatch(line.strip())
    if match is None:
        return None
    stamp, name, vm, detail = match.groups()
    when = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f%z").timestamp()
    what, _, why = (detail or "").partition(" ")
    if name == "lifecycle" and what in (*_STARTED, *_STOPPED):
        kind = Kind.STARTED if what in _STARTED else Kind.STOPPED
        return Event(when, kind, vm, {"host": host, "what": f"{what} {why}".strip().lower()})
    if name in ("reboot", "watchdog", "io-error"):
        return Event(when, Kind.NOTE, vm, {"host": host, "what": f"{name} {detail or ''}".strip()})
    return None


def said(line: str, vm: str, when: float) -> Event | None:
    """What a line of a machine's console tells, if it is one of ours."""
    match = _SAID.search(line)
    if match is None:
        return None
    source, phase, rest = match.groups()
    detail = {"phase": phase, "text": (rest or "").strip()}
    if source == "BOOT":
        return Event(when, Kind.NOTE, vm, {**detail, "what": f"boot: {phase}"})
    kind = Kind.INSTALLED if phase == "installed" else Kind.INSTALLING
    return Event(when, kind, vm, {**detail, "what": f"installer: {phase}"})


class Console:
    """The serial console of a running machine, read from its pseudo terminal."""

    def __init__(self, vm: str, terminal: int, log: Path, place: Path) -> None:
        self.vm = vm
        self.terminal = terminal
        self.listener = socket.socket(socket.AF_UNIX)
        place.unlink(missing_ok=True)
        self.listener.bind(str(place))
        self.listener.listen()
        self.listener.setblocking(False)
        self.clients: list[socket.socket] = []
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._line = ""
        self._began = 0.0
        self._services: set[str] = set()

    def read(self) -> list[Event] | None:
        """Take what the machine has said; what its lines tell. None: it is gone."""
        try:
            data = os.read(self.terminal, _CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._show(data)
        return self._heard(data.decode("utf-8", "replace"))

    def _show(self, data: bytes) -> None:
        """To all who look on. Who does not take it sees no more: waiting delays what others see."""
        for client in self.clients:
            with suppress(OSError):  # who is gone is noticed where he would type
                if not _sent(client, data):
                    client.shutdown(socket.SHUT_RDWR)

    def _heard(self, text: str) -> list[Event]:
        found: list[Event] = []
        for part in text.splitlines(keepends=True):
            if not self._line:
                self._began = time.time()
            self._line += part
            if part.endswith("\n"):
                found += self._end_line()
        return found

    def _end_line(self) -> list[Event]:
        line, self._line = self._line.strip("\r\n"), ""
        stamp = datetime.fromtimestamp(self._began).astimezone().isoformat(" ", "milliseconds")
        with suppress(OSError):  # a full disk is no reason to stop
            self._log.write(f"{stamp} {line}\n")
        if _KERNEL in line:
            self._services.clear()
        event = said(line, self.vm, self._began)
        if event is None:
            return []
        return [event, *self._booted(event)]

    def _booted(self, event: Event) -> Iterator[Event]:
        """It is up with the last of its services."""
        if event.kind is Kind.NOTE and event.detail["phase"] in _SERVICES:
            self._services.add(event.detail["phase"])
            if self._services == _SERVICES:
                self._services.clear()
                yield Event(event.time, Kind.BOOTED, self.vm, {"what": "boot: all services"})

    def type(self, client: socket.socket) -> bool:
        """Hand what a client types to the machine; false: the client is gone."""
        try:
            data = client.recv(_CHUNK)
        except OSError:
            return False
        if data:
            with suppress(OSError):
                os.write(self.terminal, data)
        return bool(data)

    def close(self) -> None:
        """Let go of all."""
        if self._line:
            self._end_line()
        for each in (self.listener, *self.clients):
            each.close()
        self.clients.clear()
        self._log.close()
        os.close(self.terminal)


def _sent(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
    except TimeoutError:
        return False
    return True


class Watcher:
    """All machines of the host `host`."""

    def __init__(self, host: str, events: Path, logs: Path, consoles: Path) -> None:
        self.host = host
        self.events = events
        self.logs = logs
        self.places = consoles
        self.consoles: dict[str, Console] = {}
        self.selector = selectors.DefaultSelector()
        self._rest = b""

    def run(self) -> None:
        """Watch for ever; libvirtd may come and go."""
        while True:
            command = ("stdbuf", "-oL", *VIRSH, "event", "--all", "--loop", "--timestamp")
            with subprocess.Popen(command, stdout=subprocess.PIPE) as virsh:
                self._look()
                sys.stderr.write(f"watches {self.host}\n")
                self._follow(virsh)
            time.sleep(_PAUSE_SECONDS)

    def _look(self) -> None:
        """Open the consoles of what runs already."""
        for vm in virsh("list", "--name").split():
            if vm not in self.consoles:
                self._open(vm)

    def _follow(self, virsh: subprocess.Popen[bytes]) -> None:
        """Until virsh ends, which it does with libvirtd."""
        assert virsh.stdout is not None  # noqa: S101 - it is a pipe
        stream = virsh.stdout.fileno()
        self.selector.register(stream, selectors.EVENT_READ, lambda: self._hear(stream))
        try:
            alive = True
            while alive:
                alive = all([key.data() for key, _ in self.selector.select()])  # noqa: C419
        finally:
            self.selector.unregister(stream)

    def _hear(self, stream: int) -> bool:
        """Take what virsh has said; false: it has ended."""
        data = os.read(stream, _CHUNK)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            event = event_of(line.decode("utf-8", "replace"), self.host)
            if event is not None:
                self._tell(event)
                self.heed(event)
        return bool(data)

    def heed(self, event: Event) -> None:
        """Open the console of a machine that is started, close that of one that is stopped."""
        if event.kind is Kind.STARTED and event.of not in self.consoles:
            self._open(event.of)
        elif event.detail["what"].startswith("stopped") and event.of in self.consoles:
            self._read(self.consoles[event.of])
            if event.of in self.consoles:
                self._close(self.consoles[event.of])

    def _tell(self, event: Event) -> None:
        with suppress(OSError):
            append(self.events, event)

    # -- consoles

    def _open(self, vm: str) -> None:
        path = virsh("ttyconsole", vm).strip()
        if not path.startswith("/dev/pts/"):
            return
        try:
            terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            console = Console(vm, terminal, self.logs / f"{vm}.console.log", self.places / vm)
        except OSError as error:
            sys.stderr.write(f"{vm}: no console: {error}\n")
            return
        self.attend(console)

    def attend(self, console: Console) -> None:
        """Take what a machine says, and let people in."""
        self.consoles[console.vm] = console
        self._register(console.terminal, lambda: self._read(console))
        self._register(console.listener.fileno(), lambda: self._accept(console))

    def _register(self, stream: int, heed: Callable[[], None]) -> None:
        def always() -> bool:
            heed()
            return True

        self.selector.register(stream, selectors.EVENT_READ, always)

    def _read(self, console: Console) -> None:
        if self.consoles.get(console.vm) is not console:
            return  # closed by what was heard just before
        found = console.read()
        for event in found or ():
            self._tell(event)
        if found is None:
            self._close(console)

    def _accept(self, console: Console) -> None:
        with suppress(OSError):
            client, _ = console.listener.accept()
            client.settimeout(_PAUSE_SECONDS)
            console.clients.append(client)
            self._register(client.fileno(), lambda: self._type(console, client))

    def _type(self, console: Console, client: socket.socket) -> None:
        if client in console.clients and not console.type(client):
            self.selector.unregister(client.fileno())
            console.clients.remove(client)
            client.close()

    def _close(self, console: Console) -> None:
        """The machine is gone: its terminal says so."""
        for each in (console.terminal, console.listener.fileno()):
            self.selector.unregister(each)
        for client in console.clients:
            self.selector.unregister(client.fileno())
        console.close()
        del self.consoles[console.vm]


def virsh(*arguments: str) -> str:
    """What virsh answers, or nothing: the machine, or libvirtd, may just be gone."""
    with suppress(subprocess.SubprocessError, OSError):
        done = subprocess.run(
            [*VIRSH, *arguments],
            capture_output=True,
            text=True,
            timeout=_CALL_SECONDS,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""
    return ""


def main(arguments: Sequence[str]) -> None:
    """Watch until the process is ended."""
    host, *paths = arguments
    Watcher(host, *map(Path, paths)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
