"""site.lock: what the compiler once chose and must not choose anew.

DRBD minors and ports, and the serial of each zone with the digest of the records it stands for.
It is kept beside site.yaml and reviewed with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from threerc.compiler.findings import Finding, Rejected
from threerc.compiler.source import document

FIRST_PORT = 7788
_HEADER = (
    "# Written by 3rc build, kept beside site.yaml and committed with it: what was chosen once\n"
    "# (DRBD minors and ports, zone serials) and must stay. Edit it only to adopt numbers that\n"
    "# are already in use.\n"
)
_SERIALS = 2**32


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LockedVolume(_Strict):
    """The numbers of a DRBD volume."""

    minor: int = Field(ge=0, le=1048575)
    port: int = Field(ge=1, le=65535)


class LockedZone(_Strict):
    """The serial of a zone, and the SHA-256 of the records it stands for."""

    serial: int = Field(ge=0, lt=_SERIALS)
    records: str = ""


class LockData(_Strict):
    """The contents of site.lock."""

    volumes: dict[str, LockedVolume] = {}
    zones: dict[str, LockedZone] = {}


@dataclass
class Lock:
    """The choices of earlier builds, and those that this build adds.

    `today` is for serials that count by date; the compiler itself knows no clock.
    """

    today: date
    data: LockData = field(default_factory=LockData)
    changes: list[str] = field(default_factory=list)

    def serial(self, zone: str, records: str, style: Literal["counter", "date"]) -> int:
        """The serial for a zone whose records have this digest: it only ever goes up (RFC 1982).

        A serial past nn=99 of its day, or from the future, goes up by one (RFC 1912, 2.2).
        """
        known = self.data.zones.get(zone)
        if known is not None and known.records == records:
            return known.serial
        first = self._today_as_serial() if style == "date" else 1
        serial = first if known is None else _after(known.serial, first)
        previous = "none" if known is None else known.serial
        self.changes.append(f"zone {zone}: serial {previous} -> {serial}")
        self.data.zones[zone] = LockedZone(serial=serial, records=records)
        return serial

    def _today_as_serial(self) -> int:
        """YYYYMMDD00."""
        return ((self.today.year * 100 + self.today.month) * 100 + self.today.day) * 100 % _SERIALS

    def volumes(
        self, wanted: Mapping[str, tuple[int | None, int | None]]
    ) -> dict[str, LockedVolume]:
        """Minor and port of each volume: as given, else as locked, else the lowest free ones.

        Nothing is given out twice. Where two locked volumes have one number, as after a merge of
        two branches, the first by name keeps it.
        """
        known = self.data.volumes
        names = sorted(wanted)
        minors = _numbers(
            {name: wanted[name][0] for name in names},
            {name: volume.minor for name, volume in known.items()},
            0,
        )
        ports = _numbers(
            {name: wanted[name][1] for name in names},
            {name: volume.port for name, volume in known.items()},
            FIRST_PORT,
        )
        for name in names:
            chosen = LockedVolume(minor=minors[name], port=ports[name])
            if chosen != known.get(name):
                self.changes.append(f"volume {name}: minor {chosen.minor}, port {chosen.port}")
                known[name] = chosen
        return {name: known[name] for name in wanted}

    def dump(self) -> str:
        """The text of site.lock."""
        return _HEADER + "".join(_lines(self.data))


def _after(serial: int, first: int) -> int:
    """The serial after another: `first` if that lies ahead, else the next one."""
    if 0 < first - serial < _SERIALS // 2:
        return first
    # 0 is left out on the way round: some servers take it for "no serial".
    return (serial + 1) % _SERIALS or 1


def _numbers(
    given: Mapping[str, int | None], locked: Mapping[str, int], lowest: int
) -> dict[str, int]:
    """A number for each name: its own if given, else its locked one, else the lowest free one."""
    chosen = {name: number for name, number in given.items() if number is not None}
    used = set(chosen.values())
    for name in given:
        number = locked.get(name)
        if name not in chosen and number is not None and number not in used:
            chosen[name] = number
            used.add(number)
    # The numbers of volumes that are gone stay theirs: their devices may still be there.
    used.update(locked.values())
    for name in given:
        if name not in chosen:
            while lowest in used:
                lowest += 1
            chosen[name] = lowest
            used.add(lowest)
    return chosen


def _lines(data: LockData) -> Iterator[str]:
    """The data as YAML. All names are quoted: to some YAML readers `y` and `1e5` are no text."""
    for section, entries in (("volumes", data.volumes), ("zones", data.zones)):
        yield f"{section}:\n" if entries else f"{section}: {{}}\n"
        for name in sorted(entries):
            yield f"  {json.dumps(name)}:\n"
            for key, value in sorted(entries[name].model_dump().items()):
                yield f"    {key}: {json.dumps(value)}\n"


def load(path: Path, today: date) -> Lock:
    """The lock that site.lock is. Raises Rejected as `read` does."""
    return Lock(today, read(path))


def read(path: Path) -> LockData:
    """Read site.lock; an absent one is empty. Raises Rejected where it cannot be read."""
    if not path.exists():
        return LockData()
    top = document.read(path)
    try:
        return LockData.model_validate(top)
    except ValidationError as error:
        findings = [
            Finding(
                document.locate(top, each["loc"]),
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}",
                "lock",
                "take the file from version control again",
            )
            for each in error.errors()
        ]
        raise Rejected(findings) from None
