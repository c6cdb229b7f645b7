"""The virtual machines of a running testbed: their first start, and how they are reached.

Each is installed as a machine of a real site would be: its boot link says `install`, a controller's
host switches it on by the controllers' own code, and from then on it is on its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from threerc.testbed import events
from threerc.testbed.client import Progress, Testbed
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.grip import Grip
from threerc.testbed.prepare import read_wanted
from threerc.testbed.supplies import Image
from threerc.testbed.waits import Waits

_REPORT_SECONDS: Final = 1.0
_INSTALL_SECONDS: Final[Mapping[str, float]] = {"mini": 300.0, "debian": 1200.0}
_BOOT_SECONDS: Final[Mapping[str, float]] = {"mini": 180.0, "debian": 600.0}
_HEARD_SECONDS: Final = 120.0
_SILENT_SECONDS: Final = 20
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Machines:
    """The virtual machines of a testbed. All methods raise TestbedError.

    `image` is what is installed.
    """

    grip: Grip
    image: Image

    @classmethod
    def of(cls, testbed: Testbed) -> Machines:
        """Those of a running testbed, by what its run's folder says."""
        return cls(Grip(testbed), read_wanted(testbed.run.folder).image)

    # -- the first start

    def first_start(self, progress: Progress) -> None:
        """Install all of them, as many at a time as there are cores; then the controllers begin."""
        waits = Waits(progress.done)
        names = list(self.grip.config.virtual_machines)
        with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
            try:
                _see_done([pool.submit(self.install, vm, waits) for vm in names], waits, progress)
                _see_done([pool.submit(self._let_controllers_begin, waits)], waits, progress)
            except BaseException:
                waits.end()
                pool.shutdown(cancel_futures=True)
                raise

    def install(self, vm: str, waits: Waits, host: str | None = None) -> None:
        """Install a machine from scratch, on its home or another host, until all of it is up."""
        config = self.grip.config
        if vm not in config.virtual_machines:
            raise TestbedError(f"{config.site} has no virtual machine {vm}")
        since = time.time()
        with waits.on(f"{vm}: switched on"):
            self.grip.boot_link(vm, "install")
            self.grip.errand("start", host or config.virtual_machines[vm].home, vm)
        self.await_event(vm, Kind.INSTALLED, since, _INSTALL_SECONDS[self.image], waits)
        self.await_event(vm, Kind.BOOTED, since, _BOOT_SECONDS[self.image], waits)

    def await_event(self, vm: str, kind: Kind, since: float, seconds: float, waits: Waits) -> Event:
        """The first event of that kind since then; an installer that gives up ends it."""

        def look() -> Event | None:
            for event in events.read(self.grip.events_file):
                if event.of == vm and event.time >= since:
                    if event.detail.get("phase") == _FAILED:
                        raise TestbedError(f"{vm}: {event.detail.get('text')} (see its console)")
                    if event.kind is kind:
                        return event
            return None

        console = self.grip.testbed.run.logs / f"{vm}.console.log"
        found: Event = waits.until(
            f"{vm}: {kind.value}", look, seconds, f"its console is in {console}"
        )
        return found

    def _let_controllers_begin(self, waits: Waits) -> None:
        """They were told not to care; they are to find all machines up."""

        def look() -> bool:
            return all(
                lately.get(name, _SILENT_SECONDS) < _SILENT_SECONDS
                for lately in self.grip.heard().values()
                for name in self.grip.config.virtual_machines
            )

        waits.until("Ganglia to hear all machines", look, _HEARD_SECONDS, "see the logs of gmond")
        with waits.on("the controllers, told to begin"):
            self.grip.threerc("resume")


def _see_done(jobs: Sequence[Future[None]], waits: Waits, progress: Progress) -> None:
    """Tell what is waited for until all jobs are done, or one has failed; raises what it raised."""
    going = set(jobs)
    while going:
        done, going = wait(going, _REPORT_SECONDS, FIRST_EXCEPTION)
        for job in done:
            job.result()
        progress.waiting(waits.now())
