"""The virtual machines of a running testbed: their first start, and how they are reached.

Each is installed as a machine of a real site would be: its boot link says `install`, a controller's
host switches it on by the controllers' own code, and from then on it is on its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from threerc.compiler.artefacts.controller import CONTROLLER_YAML
from threerc.runtime.config import ControllerConfig, VirtualMachine, load
from threerc.runtime.remote import open_remote
from threerc.testbed import events
from threerc.testbed.client import Answer, Progress, Silent, Testbed
from threerc.testbed.daemons.program import PROGRAM
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.prepare import read_wanted
from threerc.testbed.supplies import CONSOLES, Image

_POLL_SECONDS: Final = 0.2
_REPORT_SECONDS: Final = 1.0
_INSTALL_SECONDS: Final[Mapping[str, float]] = {"mini": 300.0, "debian": 1200.0}
_BOOT_SECONDS: Final[Mapping[str, float]] = {"mini": 180.0, "debian": 600.0}
_HEARD_SECONDS: Final = 120.0
_CALL_SECONDS: Final = 90.0
_SILENT_SECONDS: Final = 20
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Machines:
    """The virtual machines of a testbed. All methods raise TestbedError.

    `config` is what the controllers know, `image` what is installed.
    """

    testbed: Testbed
    config: ControllerConfig
    image: Image

    @classmethod
    def of(cls, testbed: Testbed) -> Machines:
        """Those of a running testbed, by what its run's folder says."""
        folder = testbed.run.folder
        wanted = read_wanted(folder)
        found = sorted(folder.glob(f"tree/*{CONTROLLER_YAML}"))
        if not found:
            raise TestbedError(f"{testbed.run.site} has no controller")
        return cls(testbed, load(found[0]), wanted.image)

    # -- the first start

    def first_start(self, progress: Progress | None = None) -> None:
        """Install all of them, as many at a time as there are cores; then the controllers begin."""
        waits = Waits(progress or Silent())
        names = list(self.config.virtual_machines)
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
            jobs = [pool.submit(self.install, name, waits) for name in names]
            try:
                for done in as_completed(jobs):
                    done.result()
            except BaseException:
                waits.end()
                pool.shutdown(cancel_futures=True)
                raise
        self._await_all_heard(names, waits)
        self.controllers_care()

    def install(self, vm: str, waits: Waits | None = None) -> None:
        """Install a machine from scratch, on its home, and wait until all of it is up."""
        waits = waits or Waits(Silent())
        home = self._machine(vm).home
        since = time.time()
        self.boot_link(vm, "install")
        self.start(home, vm)
        self.await_event(vm, Kind.INSTALLED, since, _INSTALL_SECONDS[self.image], waits)
        self.await_event(vm, Kind.BOOTED, since, _BOOT_SECONDS[self.image], waits)

    def boot_link(self, host: str, target: str) -> None:
        """Switch a host's boot link, on each TFTP server."""
        for server in self.config.tftp_servers:
            _succeed(self.testbed.execute(server.host, PROGRAM, "boot", host, target))

    def start(self, host: str, vm: str) -> None:
        """Switch a machine on, by the controllers' own code."""
        self._errand("start", host, vm)

    def controllers_care(self) -> None:
        """Have the controllers care for all machines: they were told not to."""
        self._as_controller(PROGRAM, "resume", "--config", CONTROLLER_YAML)

    def await_event(self, vm: str, kind: Kind, since: float, seconds: float, waits: Waits) -> Event:
        """The first event of that kind since then; an installer that gives up ends it."""

        def look() -> Event | None:
            for event in events.read(self.testbed.run.events):
                if event.of == vm and event.time >= since:
                    if event.detail.get("phase") == _FAILED:
                        raise TestbedError(f"{vm}: {event.detail.get('text')} (see its console)")
                    if event.kind is kind:
                        return event
            return None

        console = self.testbed.run.logs / f"{vm}.console.log"
        found: Event = waits.until(
            f"{vm}: {kind.value}", look, seconds, f"its console is in {console}"
        )
        return found

    def _await_all_heard(self, names: Sequence[str], waits: Waits) -> None:
        def look() -> bool:
            return all(
                lately.get(name, _SILENT_SECONDS) < _SILENT_SECONDS
                for lately in self.heard().values()
                for name in names
            )

        waits.until("Ganglia to hear all machines", look, _HEARD_SECONDS, "see the logs of gmond")

    # -- as it is

    def where(self) -> dict[str, list[str] | None]:
        """The machines that each physical host runs; None where it does not answer."""
        found: dict[str, list[str] | None] = json.loads(self._errand("where"))
        return found

    def heard(self) -> dict[str, dict[str, int]]:
        """By collector: the hosts that it has heard, and how many seconds ago."""
        found: dict[str, dict[str, int]] = json.loads(self._errand("heard"))
        return found

    def ssh(self, vm: str, *command: str, seconds: float = _CALL_SECONDS) -> Answer:
        """Run a program as root in a machine, by ssh from a controller's host."""
        remote = open_remote(self.config, vm)
        host = next(iter(self.config.controllers))
        return self.testbed.execute(host, *remote.command(command), seconds=seconds)

    def console(self, vm: str) -> Path:
        """The socket of a machine's serial console."""
        return self.testbed.run.folder / CONSOLES / vm

    # -- ways

    def _errand(self, *words: str) -> str:
        program = (sys.executable, "-P", "-m", "threerc.testbed.errands")
        return self._as_controller(*program, CONTROLLER_YAML, *words)

    def _as_controller(self, *command: str) -> str:
        user = ("runuser", "-u", self.config.user, "--")
        host = next(iter(self.config.controllers))
        return _succeed(self.testbed.execute(host, *user, *command, seconds=_CALL_SECONDS))

    def _machine(self, vm: str) -> VirtualMachine:
        if vm not in self.config.virtual_machines:
            raise TestbedError(f"{self.config.site} has no virtual machine {vm}")
        return self.config.virtual_machines[vm]


class Waits:
    """What is waited for by several threads, for whoever looks on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._now: dict[str, float] = {}
        self._ended = False

    def end(self) -> None:
        """Wait for nothing any more."""
        self._ended = True

    def until(self, what: str, look: Callable[[], Any], seconds: float, hint: str) -> Any:
        """Look until there is something; what it is. Raises TestbedError when time is up."""
        begun = self._now[what] = time.monotonic()
        told = begun
        try:
            while not (found := look()):
                now = time.monotonic()
                if self._ended:
                    raise TestbedError(f"did not wait any longer for {what}")
                if now - begun > seconds:
                    raise TestbedError(f"waited {seconds:.0f} s in vain for {what}; {hint}")
                if now - told > _REPORT_SECONDS:
                    told = now
                    self._tell(now)
                time.sleep(_POLL_SECONDS)
        finally:
            del self._now[what]
        self._progress.done(f"{what}: {time.monotonic() - begun:.1f} s")
        return found

    def _tell(self, now: float) -> None:
        self._progress.waiting([(what, now - begun) for what, begun in list(self._now.items())])


def _succeed(answer: Answer) -> str:
    """The output of a program that has to succeed."""
    if answer.rc != 0:
        raise TestbedError((answer.err or answer.out).strip() or f"exit status {answer.rc}")
    return answer.out
