"""The virtual machines of a running testbed: their first start, and how they are reached.

Each is installed as a machine of a real site would be: its boot link says `install`, a controller's
host switches it on by the controllers' own code, and from then on it is on its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Final

from threerc.testbed import events
from threerc.testbed.client import Progress, Silent, Testbed
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.grip import Grip
from threerc.testbed.prepare import read_wanted
from threerc.testbed.supplies import Image

_POLL_SECONDS: Final = 0.2
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

    def first_start(self, progress: Progress | None = None) -> None:
        """Install all of them, as many at a time as there are cores; then the controllers begin."""
        waits = Waits(progress or Silent())
        names = list(self.grip.config.virtual_machines)
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
        self.grip.threerc("resume")  # they were told not to care

    def install(self, vm: str, waits: Waits | None = None) -> None:
        """Install a machine from scratch, on its home, and wait until all of it is up."""
        waits = waits or Waits(Silent())
        config = self.grip.config
        if vm not in config.virtual_machines:
            raise TestbedError(f"{config.site} has no virtual machine {vm}")
        since = time.time()
        self.grip.boot_link(vm, "install")
        self.grip.errand("start", config.virtual_machines[vm].home, vm)
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

    def _await_all_heard(self, names: Sequence[str], waits: Waits) -> None:
        def look() -> bool:
            return all(
                lately.get(name, _SILENT_SECONDS) < _SILENT_SECONDS
                for lately in self.grip.heard().values()
                for name in names
            )

        waits.until("Ganglia to hear all machines", look, _HEARD_SECONDS, "see the logs of gmond")


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
