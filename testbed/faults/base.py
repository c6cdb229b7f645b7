"""What a fault is in the testbed, and what it may lay hands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from threerc.runtime.simulation.faults import CONTROLLER, HOST, SITE, VM
from threerc.testbed.errors import TestbedError

__all__ = [
    "CONTROLLER",
    "HOST",
    "SITE",
    "VM",
    "Begin",
    "Fault",
    "HalfBegun",
    "Hands",
    "Options",
    "Ran",
]

Options = dict[str, Any]


class HalfBegun(TestbedError):
    """A fault could not begin as a whole, and some of it may be there."""


class Ran(Protocol):
    """What came of a program: its exit status, what it printed, what it complained of."""

    @property
    def rc(self) -> int:
        """Exit status."""

    @property
    def out(self) -> str:
        """Standard output."""

    @property
    def err(self) -> str:
        """Standard error."""


class Hands(Protocol):
    """A running site, as faults take hold of it. All calls raise TestbedError."""

    def run(self, host: str, *command: str, seconds: float = 30.0) -> Ran:
        """Run a program as root in a host's capsule, to its end."""

    def guest(self, vm: str, command: str, *, seconds: float = 30.0) -> Ran:
        """Run a shell command as root inside a virtual machine, over ssh."""

    def is_on(self, host: str) -> bool:
        """Whether a host has power."""

    def where(self, vm: str) -> str:
        """The physical host on which a virtual machine runs."""

    def copies(self, vm: str) -> tuple[str, ...]:
        """All physical hosts on which it runs."""

    def mac(self, vm: str) -> str:
        """The address of its network card."""

    def address(self, vm: str) -> str:
        """Its address in the site's network."""

    def board(self, host: str) -> tuple[str, str]:
        """The management board of a host: the capsule and the daemon that play it."""

    def power(self, host: str, *, on: bool) -> None:
        """Cut a host's power, or give it back."""

    def freeze(self, host: str, *, frozen: bool) -> None:
        """Stop all processes of a host where they are, or let them go on."""

    def cable(self, host: str, *, plugged: bool) -> None:
        """Pull all of a host's network cables, or plug them in again."""

    def switch(self, name: str, *, works: bool) -> None:
        """Break a switch, or the uplink of the one that the hosts named are on, or mend it."""

    def service(self, host: str, daemon: str, *, runs: bool) -> None:
        """Stop a host's daemon, or start it again."""

    def halt(self, host: str, daemon: str, *, halted: bool) -> None:
        """Stop a host's daemon where it is (SIGSTOP), or let it go on."""

    def mount(self, host: str, folder: str, *, mounted: bool) -> None:
        """Take a folder that hosts share away from one of them, or give it back."""

    def lie(self, host: str, daemon: str, mode: str | None, silent: tuple[str, ...] = ()) -> None:
        """Let a host's gmetad or gmond lie in one of the ways of lying.py, or not (None)."""

    def mislead(self, host: str, daemon: str, mode: str | None) -> None:
        """Let a host's dhcpd, tftpd or named read the files of falsehoods.py, or not (None)."""

    @property
    def state_directory(self) -> str:
        """Where the controllers keep their shared state."""

    def image(self, vm: str) -> str:
        """The path of a virtual machine's disk on its physical hosts."""

    def providers(self, role: str) -> tuple[str, ...]:
        """The hosts that have a role, such as `dhcp`; `physical`: the physical hosts."""


Begin = Callable[[Hands, str, Options], None]


@dataclass(frozen=True)
class Fault:
    """A fault of the simulator's name, for real: how it begins, and how it is healed.

    `heal` leaves nothing of it behind, and may be called whether it began or not. `destructive`:
    only a reinstallation brings the machine back; `lasting`: only healing does. `takes_machines`:
    those that run on the host are gone with it, or out of reach. `options` are the scenario's keys
    that it takes, `modes` the values of `mode`, the usual one first. One with `seconds` ends by
    itself after so many, where its option of that name does not say otherwise, or with a new start.
    """

    name: str
    of: str
    begin: Begin
    heal: Begin
    destructive: bool = False
    lasting: bool = False
    takes_machines: bool = False
    options: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def is_over_at_once(self) -> bool:
        """Whether there is nothing to heal."""
        return self.heal is nothing


def on_each(hands: Hands, role: str, script: str) -> None:
    """Run a shell script on each host with a role that is on, also where it fails on one.

    Raises TestbedError, which tells all that went wrong.
    """

    def run(host: str) -> None:
        done = hands.run(host, "sh", "-c", script)
        if done.rc:
            raise TestbedError(f"{host}: {done.err.strip()}")

    for_each(filter(hands.is_on, hands.providers(role)), run)


def for_each(hosts: Iterable[str], do: Callable[[str], None]) -> None:
    """Do something to each host, also where it fails on one.

    Raises TestbedError, which tells all that went wrong.
    """
    wrong: list[str] = []
    for host in hosts:
        try:
            do(host)
        except TestbedError as error:
            wrong.append(str(error))
    if wrong:
        raise TestbedError("; ".join(wrong))


def nothing(_hands: Hands, _name: str, _options: Options) -> None:
    """There is nothing to heal: controllers do it, or it was over as soon as it had happened."""
