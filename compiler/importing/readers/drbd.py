"""DRBD's .res files into facts. Their syntax is much like that of dhcpd.conf.

Source: drbd.conf(5).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from threerc.compiler.findings import Place
from threerc.compiler.importing.facts import Facts, VolumeEnd, VolumeFacts
from threerc.compiler.importing.readers.dhcpd_syntax import Statement, parse, unquoted
from threerc.compiler.importing.readers.text import read_text

_ADDRESS = re.compile(r"\[?([0-9A-Fa-f:.]+?)\]?:([0-9]+)")
_MINOR = re.compile(r"(?:.* )?minor ([0-9]+)|/dev/drbd([0-9]+)")
_SIZE = re.compile(r"Volume \S+, ([0-9.]+[KMGTP]i?B), compiled by 3RC")


def read(path: Path, facts: Facts) -> None:
    """Add the resources of a file. Raises ThreeRcError where it cannot be read."""
    text = read_text(path)
    parsed = parse(text)
    for trouble in parsed.troubles:
        facts.lose(Place(str(path), trouble.line, 1), trouble.reason, trouble.text)
    size = _SIZE.search(text)
    for statement in parsed.statements:
        if statement.words[:1] == ["resource"] and statement.block is not None:
            volume = _resource(statement, path, facts)
            volume.size = size[1] if size else ""
            facts.volumes.append(volume)
        elif statement.words[:1] != ["include"]:
            place = Place(str(path), statement.line, 1)
            facts.lose(place, f"`{statement.head}` is not a resource", statement.text)


def _resource(resource: Statement, path: Path, facts: Facts) -> VolumeFacts:
    name = unquoted(resource.words[1]) if len(resource.words) > 1 else ""
    volume = VolumeFacts(name, Place(str(path), resource.line, 1))
    common = [each for each in resource.block or () if each.block is None]
    for each in resource.block or ():
        place = Place(str(path), each.line, 1)
        match each.words:
            case ["on", host] if each.block is not None:
                volume.ends.append(_end(unquoted(host), [*common, *_flat(each.block)]))
            case ["net"] if each.block is not None:
                for inner in each.block:
                    if inner.words[:1] == ["protocol"]:
                        volume.protocol = inner.words[1]
                    else:
                        facts.lose(Place(str(path), inner.line, 1), _WHY, _shown(inner))
            case ["protocol", protocol]:
                volume.protocol = protocol
            case ["device" | "disk" | "meta-disk", *_] if each.block is None:
                continue
            case _:
                facts.lose(place, _WHY, _shown(each))
    return volume


_WHY = "site.yaml has nothing for this setting of DRBD"


def _shown(statement: Statement) -> str:
    return "" if "secret" in statement.text else statement.text


def _flat(block: list[Statement]) -> list[Statement]:
    """The statements of a host, with those of its one volume."""
    inner = [each for outer in block for each in outer.block or ()]
    return [each for each in block if each.block is None] + inner


def _end(host: str, statements: list[Statement]) -> VolumeEnd:
    minor, disk, address, port = None, "", None, None
    for each in statements:
        match each.words:
            case ["device", *rest]:
                match = _MINOR.search(" ".join(map(unquoted, rest)))
                minor = int(match[1] or match[2]) if match else minor
            case ["disk", path]:
                disk = unquoted(path)
            case ["address", *rest]:
                match = _ADDRESS.fullmatch(unquoted(rest[-1]))
                if match:
                    address, port = ip_address(match[1]), int(match[2])
    return VolumeEnd(host, minor, disk, address, port)
