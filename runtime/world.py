"""All that a tick may touch. Nothing else of the controller meets a clock, host, file or network.

`real.py` is the world that there is, `simulation` one that is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, NamedTuple, Protocol, TypeVar

from threerc.runtime.config import Part
from threerc.runtime.observation import Observation

Job = Callable[[], Any]
Leave = Callable[[], float]
"""The seconds that an action may still take. Raises Conflict, StoreLost where it may not go on."""

_Model = TypeVar("_Model", bound=Part)


@dataclass(frozen=True, slots=True)
class Versioned:
    """A value of the store and its version; a key that is not there has version 0.

    `damage` is why there is none that can be read, or empty; `value` has then what is there, if
    anything, as `text`. One that is damaged and of version 0 can be written no more either: it has
    to be removed by hand.
    """

    version: int
    value: Mapping[str, Any]
    damage: str = ""
    _models: list[Part] = field(default_factory=list, init=False, repr=False, compare=False)

    def read(self, kind: type[_Model]) -> _Model:
        """What the value stands for, checked once and then shared. Raises ValueError."""
        if self.damage:
            raise ValueError(self.damage)
        for known in self._models:
            if isinstance(known, kind):
                return known
        found = kind.model_validate(self.value)
        self._models.append(found)
        return found


class Probed(NamedTuple):
    """Who answers when asked directly; and who could not be asked, with the reason."""

    answer: frozenset[str]
    unasked: Mapping[str, str] = {}


class Store(Protocol):
    """State that all controllers share: JSON objects under keys such as `vm/gridce`.

    Every call may raise StoreLost. Versions of a key only ever grow, also over `delete`. One key
    whose value is damaged hinders none of the others: it can be written anew like any other.
    """

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None."""

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys that start with `prefix`, such as `paused/`."""

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key whose version is still `expect`; returns the new one. Raises Conflict."""

    def delete(self, key: str, expect: int) -> None:
        """Remove a key whose version is still `expect`. Raises Conflict."""

    def publish(self, vm: str, line: str) -> None:
        """Show a VM's line to people and to the thesis's shell version, as the file `vm/<VM>`."""

    def published(self, vm: str) -> str | None:
        """That line, whoever has written it, or None."""

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append lines to the thesis's log, and events to the JSON log beside it."""

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The newest events of the JSON log, oldest first: all, or those that concern one VM.

        A standstill, which is of nobody in particular, concerns them all.
        """


class Hypervisor(Protocol):
    """The virtualisation layer of one physical host. All calls raise Unreachable or Refused."""

    def running(self) -> frozenset[str]:
        """The VMs that run there, by name."""

    def kill(self, vm: str) -> None:
        """Switch a VM off at once; returns when it does not run (any more)."""

    def start(self, vm: str) -> None:
        """Define a VM there if need be and switch it on; fine if it runs already."""

    def restore(self, vm: str) -> None:
        """Bring a VM's disk back to its last snapshot and switch it on; it must not run."""

    def migrate(self, vm: str, to: str) -> None:
        """Move a running VM to another physical host without stopping it."""


class Power(Protocol):
    """The power of one physical host. All calls raise Unreachable or Refused."""

    def off(self) -> None:
        """Cut it; returns when the management board says that it is off."""

    def is_on(self) -> bool:
        """Whether it is on."""


class World(Protocol):
    """One controller's way to its site."""

    @property
    def store(self) -> Store:
        """The shared state."""

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of the log; None: the machine's own."""

    def now(self) -> float:
        """This controller's clock: seconds since the epoch."""

    def lacking(self) -> str:
        """What this controller's host lacks to start VMs, for people; or nothing."""

    def observe(self) -> Observation:
        """What the first monitor with fresh data says. Raises MonitorLost."""

    def answers(self, hosts: Iterable[str]) -> Probed:
        """Those of VMs and physical hosts that answer when asked directly; none without a probe.

        Raises MonitorLost where nobody can be asked.
        """

    def hypervisor(self, host: str, leave: Leave | None = None) -> Hypervisor:
        """The hypervisor of a physical host.

        With `leave` that is asked right before each command is sent to the host, which gets no
        more time than is left: no step of an action, the last one least of all, is begun late.
        """

    def power(self, host: str) -> Power | None:
        """The power of a physical host, or None where nothing can cut it."""

    def reboot(self, vm: str, leave: Leave | None = None) -> None:
        """Ask a VM to reboot itself (ssh), with `leave`. Raises Unreachable or Refused."""

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """Point a VM's boot link at a boot file, on each TFTP server. All as `reboot`."""

    def booted(self, vm: str) -> str | None:
        """The boot file that a VM's link points to, or None. Raises as `reboot`."""

    def together(
        self, jobs: Mapping[str, Job], seconds: float, hosts: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Run jobs at the same time; each result, or ControllerError, under the job's name.

        A job that takes longer than `seconds` is left alone; its result is an Unreachable.
        `hosts` says on which host a job works, where its name does not: each takes a few at a time.
        """

    def tell(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Notify whoever is to be notified of these events; those for which there was no time.

        Never raises.
        """
