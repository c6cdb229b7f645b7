"""What the controllers remember of a VM, and the line of it that the thesis's shell version reads.

The line is `PH YYYY-MM-DD/HH:MM:SS FLAG` (thesis, appendix): the physical host, when the last
action was, and how far the ladder has been climbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from threerc.runtime.config import Count, HostName, Part

STAMP: Final = "%Y-%m-%d/%H:%M:%S"


class Step(StrEnum):
    """The actions, in the order of the ladder."""

    REBOOT = "REBOOT"
    RESTART = "RESTART"
    SNAPSHOT = "SNAPSHOT"
    REINSTALL = "REINSTALL"


class State(StrEnum):
    """What was done last to a VM; NORMAL: nothing that still counts."""

    NORMAL = "normal"
    REBOOTED = "rebooted"
    RESTARTED = "restarted"
    RESTORED = "restored"
    REINSTALLED = "reinstalled"


FLAGS: Final = {
    State.NORMAL: 0,
    State.REBOOTED: 1,
    State.RESTARTED: 2,
    State.RESTORED: 2,
    State.REINSTALLED: 0,
}
"""The thesis's flag for each state."""
_OF_FLAG: Final = {0: State.NORMAL, 1: State.REBOOTED, 2: State.RESTARTED}


MIGRATE: Final = "MIGRATE"
"""What draining a host does to its VMs; no step of the ladder."""


class Intent(Part):
    """An action that is under way: it is written before the action and taken out after it.

    `step` is a step of the ladder, or MIGRATE.
    """

    step: str
    to: HostName
    by: HostName
    since: float


class Record(Part):
    """What is remembered of a VM. Times are seconds since the epoch.

    `tries` counts the actions of the state it is in, `done` all that were ever begun; `recent` are
    the times of those that count for the limit. `strain` is the weight of its failures at
    `strained`; `ladders` counts how often all steps were tried since then, in vain. `up` is since
    when it has been up after the last action, None as long as it is down. `fell` is the host on
    which it went down. `link` is since when its boot link says `install`. `avoid` are hosts on
    which it could not be started since it was up, the latest last. `left` says why it is left to a
    human. `behind` are hosts that were down or cut off when it was started elsewhere: a copy may
    come back with them.
    """

    host: HostName
    state: State = State.NORMAL
    last: float = 0.0
    tries: Count = 0
    done: Count = 0
    recent: tuple[float, ...] = ()
    strain: float = 0.0
    strained: float = 0.0
    ladders: Count = 0
    up: float | None = None
    fell: HostName | None = None
    intent: Intent | None = None
    link: float | None = None
    avoid: tuple[HostName, ...] = ()
    left: str = ""
    behind: tuple[HostName, ...] = ()

    @property
    def flag(self) -> int:
        """The thesis's flag: 0, 1 or 2."""
        return FLAGS[self.state]

    def dump(self) -> dict[str, Any]:
        """The record as JSON's data."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Record:
        """The record that `dump` wrote. Raises ValueError."""
        return cls.model_validate(data)


def known_part(data: Mapping[str, Any]) -> Record | None:
    """A record as far as it is known here: another version of 3RC may have written more into it.

    None where it makes no sense without that.
    """
    try:
        return Record.load(_known_fields(data))
    except ValueError:
        return None


def readable_part(data: Mapping[str, Any]) -> Record | None:
    """What is left of a damaged record without the values that cannot be; None without a host.

    What is missing in it may have been there.
    """
    fields = _known_fields(data)
    host = {"host": fields.get("host")}
    good = {key: value for key, value in fields.items() if known_part({**host, key: value})}
    return known_part(good)


def _known_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in data.items() if key in Record.model_fields}
    intent = fields.get("intent")
    if isinstance(intent, Mapping):
        fields["intent"] = {k: v for k, v in intent.items() if k in Intent.model_fields}
    return fields


def stamp(moment: float, zone: tzinfo | None) -> str:
    """A time as the thesis writes it; without a zone in the machine's own."""
    return datetime.fromtimestamp(moment, zone).strftime(STAMP)


def line(record: Record, zone: tzinfo | None) -> str:
    """The thesis's line for a record."""
    return f"{record.host} {stamp(record.last, zone)} {record.flag}"


def from_line(text: str, zone: tzinfo | None) -> Record | None:
    """The record that a line of the thesis's stands for, or None where it is no such line.

    A physical host may have its domain there; ours are known without.
    """
    match text.split():
        case [host, when, ("0" | "1" | "2") as flag]:
            try:
                moment = _earliest(datetime.strptime(when, STAMP).replace(tzinfo=zone))
                state = _OF_FLAG[int(flag)]
                tries = int(state is not State.NORMAL)
                name = host.partition(".")[0]
                return Record(host=name, last=moment, state=state, tries=tries, up=moment)
            except (ValueError, OverflowError):
                return None
    return None


def _earliest(local: datetime) -> float:
    """A line has no zone: when summer time ends, an hour of the clock comes twice.

    The first is taken, or an action would be read as newer than it was, and even lie ahead.
    """
    return min(local.replace(fold=fold).timestamp() for fold in (0, 1))
