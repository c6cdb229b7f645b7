"""`3rc import` as a function: files in, the text of site.yaml and what it cannot say out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from threerc.compiler.build import check, compile_tree
from threerc.compiler.findings import Finding
from threerc.compiler.importing.facts import Facts
from threerc.compiler.importing.merging import merge
from threerc.compiler.importing.readers import dhcpd, drbd, kea, libvirt, pxelinux, tables, zone
from threerc.compiler.importing.verifying import Comparison, compare, read_tree
from threerc.compiler.importing.writing import text_of
from threerc.compiler.lock import Lock


@dataclass(frozen=True)
class Sources:
    """The files that are read. `zones` are names with their files."""

    dhcpd: Sequence[Path] = ()
    kea: Sequence[Path] = ()
    zones: Sequence[tuple[str, Path]] = ()
    pxelinux: Path | None = None
    hosts_def: Path | None = None
    hosts: Path | None = None
    ethers: Path | None = None
    libvirt: Sequence[Path] = ()
    drbd: Sequence[Path] = ()


def read(sources: Sources) -> Facts:
    """All that the files say. Raises ThreeRcError where one cannot be read at all."""
    facts = Facts()
    for path in sources.dhcpd:
        dhcpd.read(path, facts)
    for path in sources.kea:
        kea.read(path, facts)
    for name, path in sources.zones:
        zone.read(name, path, facts)
    if sources.pxelinux is not None:
        pxelinux.read(sources.pxelinux, facts)
    for table, reader in (
        (sources.hosts_def, tables.read_hosts_def),
        (sources.hosts, tables.read_hosts),
        (sources.ethers, tables.read_ethers),
    ):
        if table is not None:
            reader(table, facts)
    for path in sources.drbd:
        drbd.read(path, facts)
    for path in sources.libvirt:
        libvirt.read(path, facts)
    return facts


def write(facts: Facts) -> str:
    """The text of site.yaml; what it cannot say is in `facts.lost` then."""
    return text_of(merge(facts))


def findings(facts: Facts) -> list[Finding]:
    """What site.yaml does not say, each at its line."""
    return [Finding(each.place, each.reason, "not-imported", "", "warning") for each in facts.lost]


def verify(facts: Facts, site: Path, today: date) -> Comparison:
    """Compile a site and compare it with the facts. Raises Rejected where it has errors."""
    checked = check(site)
    tree = compile_tree(checked.site, Lock(today, checked.lock), checked.folder)
    return compare(facts, read_tree(checked.site, tree))
