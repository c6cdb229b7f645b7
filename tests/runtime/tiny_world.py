"""The smallest site there is, in which everything can go wrong: two VMs' hosts and one VM each.

Not a simulation of time: a test sets what each host does when it is asked, and ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError, MonitorLost, Refused, Unreachable
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation, Seen
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.world import Job, Leave, Probed

START = 1_000_000.0
LATE = 300.0
"""After so many seconds comes what is late: others have taken over by then."""
LATE_START = 120.0
"""A start comes no later than twice the time of an action: against a later one only locks help."""


def config(**settings: Any) -> ControllerConfig:
    """A site of three physical hosts; `gridce` lives on alfa01, `other` on alfa02."""
    hosts = {f"alfa0{n}": {"maxl": 10, "hypervisor": "libvirt"} for n in (1, 2, 3)}
    boot = {"links": ["C0A8011F"], "declared": "local", "install": "sl4"}
    data: dict[str, Any] = {
        "version": 1,
        "site": "tiny",
        "domain": "example.org",
        "user": "ha",
        "state_directory": "/var/spool/ha",
        "controllers": {"bibe": "even", "bussolo": "odd"},
        "recovery": {
            "steps": {"reboot": 0, "restart": 1, "reinstall": 0},
            "waits": {"reboot": 200, "restart": 200, "reinstall": 600},
            "history": 3600,
            "limit": {"restarts": 5, "within": 3600},
        },
        "monitors": {"cluster": "tiny", "poll_interval": 15},
        "brake": {"share": 1},
        "physical_hosts": hosts,
        "virtual_machines": {
            "gridce": {"home": "alfa01", "memory": 1, "inst": 1, "boot": boot},
            "other": {"home": "alfa02", "memory": 1},
        },
    }
    return ControllerConfig.model_validate(data | settings)


_HANGS = object()


def _result(job: Job) -> Any:
    try:
        return job()
    except ControllerError as error:
        return error


class Died(BaseException):
    """The controller's own end, which nothing of it can catch."""


@dataclass
class TinyHost:
    """One physical host: what it does when it is asked, and what runs on it.

    `kill` and `start` are `ok`, `refused`, `lost` (nothing happened, nobody knows), `unheard` (it
    happened, nobody knows) or `late`: the first time it happens when nobody waits for it any more,
    and whoever ordered it goes on from there; after that it is `ok`.
    """

    ssh: bool = True
    kill: str = "ok"
    start: str = "ok"
    power: str = "none"
    running: set[str] = field(default_factory=set)

    def take(self, what: str) -> str:
        """How it does what it is told this time: `kill`, `start` or `power`."""
        how = str(getattr(self, what))
        if how == "late":
            setattr(self, what, "ok")
        return how


class TinyHypervisor:
    """The hypervisor of a TinyHost, through the world's counter of calls."""

    def __init__(self, world: TinyWorld, host: TinyHost, leave: Leave | None = None) -> None:
        self.world = world
        self.host = host
        self.leave = leave

    def _reach(self) -> None:
        self.world.count()
        if self.leave is not None:
            self.leave()
        if not self.host.ssh:
            raise Unreachable("no answer within 5 s")

    def running(self) -> frozenset[str]:
        """What runs."""
        self._reach()
        return frozenset(self.host.running)

    def _do(self, what: str, order: Callable[[], None], late: float = LATE) -> None:
        self._reach()
        how = self.host.take(what)
        if how == "late":
            self.world.hang(late)
        if how in ("ok", "unheard", "late"):
            order()
        if how == "refused":
            raise Refused("no")
        if how in ("lost", "unheard"):
            raise Unreachable("no answer within 5 s")

    def kill(self, vm: str) -> None:
        """Switch off."""
        self._do("kill", lambda: self.host.running.discard(vm))

    def start(self, vm: str) -> None:
        """Switch on."""
        try:
            self._do("start", lambda: self.host.running.add(vm), LATE_START)
        finally:
            self.world.most = max(self.world.most, self.world.copies(vm))
            self.world.count()

    def restore(self, vm: str) -> None:
        """Switch on from a snapshot."""
        self.start(vm)

    def migrate(self, vm: str, to: str) -> None:
        """Move."""
        self._reach()
        self.host.running.discard(vm)
        self.world.hosts[to].running.add(vm)


class TinyPower:
    """The power of a TinyHost: `ok`, `refused`, `stuck` (says off, is on), `late`."""

    def __init__(self, world: TinyWorld, host: TinyHost) -> None:
        self.world = world
        self.host = host

    def off(self) -> None:
        """Cut it."""
        self.world.count()
        how = self.host.take("power")
        if how == "refused":
            raise Refused("wrong password")
        if how == "late":
            self.world.hang(LATE)
        if how in ("ok", "late"):
            self.host.running = set()
            self.host.ssh = False

    def is_on(self) -> bool:
        """Whether it is on."""
        self.world.count()
        return self.host.power != "ok"


def seen_well(*controllers: str) -> MemoryStore:
    """The shared state of a site that these saw in good order a minute before the start."""
    store = MemoryStore()
    for me in controllers:
        memory = Memory(store, UTC, me, START - 60)
        memory.load()
        memory.note(())
    return store


@dataclass
class TinyWorld:
    """The world; `dies_at` is the number of the call in which the controller dies."""

    hosts: dict[str, TinyHost]
    time: float = START
    silent: dict[str, float] = field(default_factory=dict)
    store: MemoryStore = field(default_factory=lambda: seen_well("bibe", "bussolo"))
    links: dict[str, str] = field(default_factory=dict)
    told: list[Mapping[str, Any]] = field(default_factory=list)
    ears: int = 1000
    lacks: str = ""
    loads: dict[str, float] = field(default_factory=dict)
    calls: int = 0
    dies_at: int = 0
    most: int = 0
    mute: bool = False
    hanging: list[tuple[float, Any]] = field(default_factory=list)
    unasked: frozenset[str] = frozenset()
    zone = UTC

    def count(self) -> None:
        """Count a call to the outside, and die in it."""
        self.calls += 1
        if self.calls == self.dies_at:
            raise Died

    def copies(self, vm: str) -> int:
        """How many copies of a VM run."""
        return sum(vm in host.running for host in self.hosts.values())

    def now(self) -> float:
        """The clock."""
        return self.time

    def lacking(self) -> str:
        """What the test says."""
        return self.lacks

    def observe(self) -> Observation:
        """All hosts are fine but those in `silent`."""
        names = (*self.hosts, "gridce", "other")
        seen = {n: Seen(self.loads.get(n, 0.1), self.silent.get(n, 10.0)) for n in names}
        return Observation(seen, "tiny")

    def answers(self, vms: Iterable[str]) -> Probed:
        """Nobody does, or nobody can be asked; or some cannot."""
        if self.mute:
            raise MonitorLost("no route")
        return Probed(frozenset(), dict.fromkeys(self.unasked & {*vms}, "no such name"))

    def hypervisor(self, host: str, leave: Leave | None = None) -> TinyHypervisor:
        """A host's hypervisor."""
        return TinyHypervisor(self, self.hosts[host], leave)

    def power(self, host: str) -> TinyPower | None:
        """A host's power."""
        return None if self.hosts[host].power == "none" else TinyPower(self, self.hosts[host])

    def reboot(self, vm: str, leave: Leave | None = None) -> None:  # noqa: ARG002
        """It never answers."""
        self.count()
        raise Unreachable(f"{vm} is down")

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:  # noqa: ARG002
        """Switch a link."""
        self.count()
        self.links[vm] = target

    def booted(self, vm: str) -> str | None:
        """Where a link points."""
        return self.links.get(vm)

    def together(
        self,
        jobs: Mapping[str, Job],
        seconds: float,
        hosts: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol's
    ) -> Mapping[str, Any]:
        """One after another; one that hangs is left alone, and goes on later."""
        results: dict[str, Any] = {}
        for name, job in jobs.items():
            result = greenlet(partial(_result, job)).switch()
            late = Unreachable(f"not done within {seconds:g} s")
            results[name] = late if result is _HANGS else result
        return results

    def hang(self, seconds: float) -> None:
        """Let the job that calls go on so much later."""
        job = getcurrent()
        assert job.parent is not None
        self.hanging.append((self.time + seconds, job))
        job.parent.switch(_HANGS)

    def pass_time(self, seconds: float) -> None:
        """Until the next tick; what has hung for long enough goes on before it."""
        self.time += seconds
        due = [job for moment, job in self.hanging if moment <= self.time]
        self.hanging = [each for each in self.hanging if each[0] > self.time]
        for job in due:
            job.parent = getcurrent()
            job.switch()

    def tell(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Remember what was told; there is time for so many as `ears`."""
        self.told.extend(events[: self.ears])
        return events[self.ears :]
