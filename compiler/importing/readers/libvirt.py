"""A libvirt domain's XML into facts. Source: libvirt.org ("Domain XML format")."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, XMLParser

from threerc.compiler.findings import Place, ThreeRcError
from threerc.compiler.importing.facts import Domain, Facts
from threerc.compiler.importing.readers.text import mac_of, read_text

_UNITS = {"b": 1, "bytes": 1, "kb": 1000, "k": 1024, "kib": 1024, "mb": 10**6, "m": 1 << 20}
_UNITS |= {"mib": 1 << 20, "gb": 10**9, "g": 1 << 30, "gib": 1 << 30, "tb": 10**12, "tib": 1 << 40}


def read(path: Path, facts: Facts) -> None:
    """Add a domain. Raises ThreeRcError where the file is no such XML."""
    root = _root(path)
    place = Place(str(path), 1, 1)
    domain = Domain((root.findtext("name") or "").strip(), place)
    if root.tag != "domain" or not domain.name:
        raise ThreeRcError(f"{path}: not the XML of a libvirt domain")
    memory = root.find("memory")
    if memory is not None:
        unit = _UNITS.get(memory.get("unit", "KiB").lower(), 1024)
        domain.memory = int(memory.text or 0) * unit // 1024
    domain.cpus = int(root.findtext("vcpu") or 0)
    _interfaces(root, domain, facts)
    _disks(root, domain, facts)
    if not facts.domains:
        read_of_it = "name, memory, CPUs, the first disk and the first interface"
        facts.lose(place, f"of a domain {read_of_it} are read: the rest is 3RC's own")
    facts.domains.append(domain)


def _root(path: Path) -> Element:
    """The tree of a file without a DTD: entities of one may grow without end."""
    text = read_text(path)
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text):
        raise ThreeRcError(f"{path}: has a DTD, which no domain of libvirt has")
    parser = XMLParser()  # noqa: S314 - without a DTD there are no entities
    try:
        parser.feed(text)
        found: Element = parser.close()
    except ParseError as error:
        raise ThreeRcError(f"{path}: {error}") from None
    return found


def _interfaces(root: Element, domain: Domain, facts: Facts) -> None:
    for number, interface in enumerate(root.iterfind("devices/interface")):
        mac, source = interface.find("mac"), interface.find("source")
        address = mac_of(mac.get("address", "")) if mac is not None else None
        if number:
            about = f"interface {address or number} of {domain.name}: a VM of site.yaml has one"
            facts.lose(domain.place, about)
            continue
        domain.mac = address or ""
        domain.bridge = "" if source is None else source.get("bridge", "")


def _disks(root: Element, domain: Domain, facts: Facts) -> None:
    disks = [each for each in root.iterfind("devices/disk") if each.get("device") != "cdrom"]
    for number, disk in enumerate(disks):
        source, target = disk.find("source"), disk.find("target")
        where = "" if source is None else source.get("file") or source.get("dev") or ""
        if number:
            about = f"disk {where or number} of {domain.name}: a VM of site.yaml has one"
            facts.lose(domain.place, about)
            continue
        domain.disk = where
        domain.device = "" if target is None else target.get("dev", "")
