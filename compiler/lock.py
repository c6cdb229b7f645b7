"""site.lock: what the compiler once chose and must not choose anew.

DRBD minors and ports, and the serial of each zone with the digest of the records it stands for.
It is kept beside site.yaml and reviewed with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from threerc.compiler.findings import Finding, Place, Rejected
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
        """The serial for a zone whose records have this digest: it only ever goes up.

        A serial past nn=99 of its day, or from the future, goes up by one (RFC 1912, 2.2).
        """
        known = self.data.zones.get(zone)
        if known is not None and known.records == records:
            return known.serial
        previous = known.serial if known is not None else 0
        start = int(self.today.strftime("%Y%m%d00")) if style == "date" else 1
        # 0 is left out on the way round: some servers take it for "no serial" (RFC 1982).
        serial = max(start, previous + 1) % _SERIALS or 1
        self.changes.append(f"zone {zone}: serial {previous or 'none'} -> {serial}")
        self.data.zones[zone] = LockedZone(serial=serial, records=records)
        return serial

    def volumes(self, wanted: Mapping[str, tuple[int | None, int | None]]) -> dict[str, LockedVolume]:
        """Minor and port of each volume: as given, else as locked, else the lowest free ones."""
        numbers = self.data.volumes
        minors = {minor for minor, _ in wanted.values() if minor is not None}
        ports = {port for _, port in wanted.values() if port is not None}
        taken_minors = minors | {each.minor for each in numbers.values()}
        taken_ports = ports | {each.port for each in numbers.values()}
        for name, (minor, port) in sorted(wanted.items()):
            known = numbers.get(name)
            if minor is None:
                keep = known is not None and known.minor not in minors
                minor = known.minor if known and keep else _lowest(0, taken_minors)
            if port is None:
                keep = known is not None and known.port not in ports
                port = known.port if known and keep else _lowest(FIRST_PORT, taken_ports)
            taken_minors.add(minor)
            taken_ports.add(port)
            chosen = LockedVolume(minor=minor, port=port)
            if chosen != known:
                self.changes.append(f"volume {name}: minor {minor}, port {port}")
                numbers[name] = chosen
        return {name: numbers[name] for name in wanted}

    def dump(self) -> str:
        """The text of site.lock."""
        body: dict[str, Any] = self.data.model_dump()
        return _HEADER + yaml.safe_dump(body, sort_keys=True, default_flow_style=False)


def _lowest(start: int, taken: set[int]) -> int:
    number = start
    while number in taken:
        number += 1
    return number


def load(path: Path, today: date) -> Lock:
    """Read site.lock; an absent one is empty. Raises Rejected where it cannot be read."""
    if not path.exists():
        return Lock(today)
    top = document.read(path)
    try:
        return Lock(today, LockData.model_validate(top))
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
