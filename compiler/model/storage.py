"""Storage: DRBD-mirrored volumes, the NFS exports over them, and RAID arrays."""

from __future__ import annotations

from math import floor
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from threerc.compiler.model.types import (
    AbsolutePath,
    DeviceName,
    Explained,
    HostName,
    Line,
    Model,
    Size,
    Word,
)

_FLAVOUR = r"(?:sys|none|krb5[ip]?)"
ExportOption = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:ro|rw|a?sync|(?:in)?secure(?:_locks)?|security_label|nordirplus"
        r"|(?:no_)?(?:wdelay|subtree_check|root_squash|all_squash|auth_nlm|acl|pnfs)"
        r"|(?:no)?(?:hide|crossmnt)|(?:mountpoint|mp)(?:=/[A-Za-z0-9/._-]+)?"
        r"|anon[ug]id=-?[0-9]{1,10}|fsid=(?:root|[0-9]{1,10}|[0-9A-Fa-f-]{36})"
        rf"|sec={_FLAVOUR}(?::{_FLAVOUR})*)$"
    ),
    Explained("export-option", "not an option of exports(5), such as rw or no_root_squash"),
]


class NfsExport(Model):
    """An NFS export of a mirrored volume, from whichever peer is primary."""

    path: AbsolutePath = Field(
        description="Where the volume is mounted and exported.", examples=["/srv/shared"]
    )
    clients: tuple[Line, ...] = Field(
        min_length=1,
        description="Who may mount it: networks or hosts of the site by name, or addresses and "
        "prefixes.",
        examples=[["lan"]],
    )
    options: tuple[ExportOption, ...] = Field(
        default=("rw", "sync", "no_subtree_check"), description="Options of exports(5)."
    )


class Volume(Model):
    """One DRBD resource: a block device kept equal on two physical hosts (thesis 6.14)."""

    peers: tuple[HostName, ...] = Field(
        min_length=2,
        max_length=2,
        description="The two physical hosts that hold it.",
        examples=[["alfa01", "alfa02"]],
    )
    disk: AbsolutePath | dict[HostName, AbsolutePath] = Field(
        description="Backing disk or logical volume: one path for both peers, or one for each.",
        examples=["/dev/vg0/gridce"],
    )
    size: Size = Field(description="Size of the volume.")
    network: Word | None = Field(
        default=None,
        description="The network that it is mirrored over, by the peers' addresses there. "
        "Default: that of their own addresses.",
        examples=["storage"],
    )
    protocol: Literal["A", "B", "C"] = Field(
        default="C", description="DRBD protocol: C is synchronous, A and B are not."
    )
    minor: int | None = Field(
        default=None, ge=0, le=1048575, description="Device minor; otherwise site.lock chooses."
    )
    port: int | None = Field(
        default=None, ge=1024, le=65535, description="TCP port; otherwise site.lock chooses."
    )
    nfs: NfsExport | None = Field(default=None, description="An NFS export of the volume.")

    def backing(self, peer: str) -> str:
        """Path of the backing device on that peer; KeyError where `disk` does not name it."""
        return self.disk if isinstance(self.disk, str) else self.disk[peer]


class Fencing(Model):
    """What DRBD does before a primary that has lost its peer goes on alone."""

    policy: Literal["resource-only", "resource-and-stonith"] = Field(
        description="resource-only: the peer is fenced while the primary goes on; "
        "resource-and-stonith: the primary writes nothing until the peer is fenced."
    )
    handler: AbsolutePath = Field(
        description="Program on the physical hosts that fences the peer (fence-peer).",
        examples=["/usr/local/sbin/fence-peer"],
    )


class Drbd(Model):
    """What all mirrored volumes share."""

    version: Literal[8, 9] = Field(
        default=8,
        description="DRBD of the physical hosts' kernels: 8 is the 8.4 of Linux itself, 9 that "
        "of LINBIT. Told apart where the two are configured differently (`fencing`).",
    )
    fencing: Fencing | None = Field(
        default=None,
        description="DRBD's own fencing. Default: dont-care, since the recovery controller sees "
        "the old copy of a machine dead before it starts another.",
    )


class Disk(Model):
    """A physical disk of a host."""

    device: DeviceName = Field(description="Name below /dev.", examples=["sda"])
    size: Size = Field(description="Capacity.")


RaidLevel = Literal[0, 1, 5, 6, 10, 50, 51]


class Raid(Model):
    """A RAID array over some of a host's disks (thesis 6.12)."""

    level: RaidLevel = Field(description="RAID level.")
    disks: tuple[DeviceName, ...] = Field(
        min_length=2, description="Member disks, by device name.", examples=[["sda", "sdb"]]
    )

    def usable(self, smallest: int) -> int:
        """Usable bytes of the array, given its smallest member's bytes."""
        members = len(self.disks)
        data_disks: dict[int, float] = {
            0: members,
            1: 1,
            5: members - 1,
            6: members - 2,
            10: members / 2,
            50: members - 2,
            51: members / 2 - 1,
        }
        return floor(data_disks[self.level] * smallest)


RAID_MINIMUM: dict[int, int] = {0: 2, 1: 2, 5: 3, 6: 4, 10: 4, 50: 6, 51: 6}
"""The least number of disks for each level."""
