"""NFS exports: what is given away is meant to be, and by one path there is one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.rules.base import Facts, Problem, rule

_SYSTEM = re.compile(
    r"/(?:usr|var|var/(?:lib|log|spool)|tmp"
    r"|(?:(?:usr/)?(?:s?bin|lib[0-9x]*)|boot|dev|etc|proc|root|run|sys)(?:/.*)?)"
)
"""Folders that a system's own files are in (hier(7)); below some of them all is the system's."""


@rule(
    "export-path",
    reason="The volume is mounted where it is exported: it would hide the system's own files, or "
    "those would be given to the clients.",
    hint="export a folder of its own, such as one below /srv",
)
def export_path(facts: Facts) -> Iterator[Problem]:
    """No volume is exported from a folder of the system."""
    for name, volume in facts.site.volumes.items():
        if volume.nfs is not None and _SYSTEM.fullmatch(volume.nfs.path):
            message = f"{volume.nfs.path} of volume `{name}` belongs to the system of its hosts"
            yield Problem(("volumes", name, "nfs", "path"), message)


@rule(
    "unique-export",
    reason="Of two volumes mounted at one path the clients see the one that was mounted last.",
    hint="give each volume its own path",
)
def unique_export(facts: Facts) -> Iterator[Problem]:
    """No physical host exports two volumes by one path."""
    seen: dict[tuple[str, str], str] = {}
    for name, volume in facts.site.volumes.items():
        path = volume.nfs.path if volume.nfs else None
        for peer in dict.fromkeys(volume.peers) if path else ():
            first = seen.setdefault((peer, path or ""), name)
            if first is not name:
                message = f"{peer} exports {path} of `{name}`, and also of `{first}`"
                yield Problem(("volumes", name, "nfs", "path"), message)
                break


@rule(
    "export-open",
    reason="An export that all the world may write to is soon full of other people's files.",
    hint="name the networks or hosts that need it, or export it `ro`",
    severity="warning",
)
def export_open(facts: Facts) -> Iterator[Problem]:
    """No volume may be written to from every address."""
    for name, volume in facts.site.volumes.items():
        if volume.nfs is None or "rw" not in volume.nfs.options:
            continue
        for position, client in enumerate(volume.nfs.clients):
            if client.endswith("/0"):
                path = ("volumes", name, "nfs", "clients", position)
                yield Problem(path, f"anyone may write to volume `{name}` ({client})")


RULES = (export_path, unique_export, export_open)
