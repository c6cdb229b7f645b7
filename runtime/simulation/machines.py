"""The machines as they truly are: physical and service hosts. What a controller sees is less."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

MAIN: Final = ""
"""The part of the network that all hosts are in unless something is cut."""


class Ssh(StrEnum):
    """How ssh on a host answers; `mute` does what it is told, but the answer is lost.

    `late` does it after a while, be it that the caller has long gone.
    """

    OK = "ok"
    DEAD = "dead"
    HANG = "hang"
    MUTE = "mute"
    LATE = "late"


class Board(StrEnum):
    """How a management board answers.

    `stuck` takes the order and does nothing; `lying` says besides that the power is off.
    """

    OK = "ok"
    FAILING = "failing"
    DEAD = "dead"
    STUCK = "stuck"
    LYING = "lying"


class Host:
    """A physical or service host. Whatever changes is told to `changed`.

    `late` are the seconds after which ssh does what it is told, where it is late.
    """

    def __init__(self, name: str, changed: Callable[[Host], None]) -> None:
        self.name = name
        self.changed = changed
        self.powered = True
        self.booted = True
        self.hung = False
        self.cut = False
        self.switches: set[str] = set()
        self.gmond = True
        self.ssh = Ssh.OK
        self.late = 0.0
        self.boots = 0
        self.board = Board.OK
        self.hypervisor = True
        self.load = 0.5

    @property
    def runs(self) -> bool:
        """Whether its operating system does anything."""
        return self.powered and self.booted and not self.hung

    @property
    def beats(self) -> bool:
        """Whether it sends heartbeats."""
        return self.runs and self.gmond

    @property
    def segment(self) -> str:
        """The part of the network that it is in."""
        if self.cut:
            return f"{self.name} alone"
        return " ".join(sorted(self.switches)) if self.switches else MAIN

    def reaches(self, other: Host) -> bool:
        """Whether packets go from here to there and somebody is there."""
        return self.segment == other.segment and other.runs if self is not other else self.runs
