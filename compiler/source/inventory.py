"""A CSV inventory as host entries that know their own line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.source.document import PLACE_BITS, Mapping, decode, pack

_SYNONYMS = {"ip": "address", "ip6": "address6"}
_LISTS = frozenset({"aliases", "roles", "switches", "pdus", "allowed", "start_after"})
_NUMBERS = frozenset({"cpus", "inst", "priority", "maxl"})


def read(path: Path, allowed: Iterable[str]) -> list[tuple[str, Mapping]]:
    """The hosts of a CSV file: name and entry each. Lists are separated by spaces.

    `#` lines and empty lines are skipped, empty fields are left out. Raises Rejected.
    """
    lines = decode(path).splitlines()
    table = _records(lines)
    findings: list[Finding] = []
    header_line, header = next(table, (1, []))
    columns = [_SYNONYMS.get(name.strip().lower(), name.strip().lower()) for name in header]
    _check_header(path, header_line, columns, frozenset(allowed), findings)
    hosts: list[tuple[str, Mapping]] = []
    for number, fields in table:
        if len(fields) != len(columns):
            message = f"{len(fields)} fields, but the header has {len(columns)}"
            findings.append(Finding(Place(str(path), number, 1), message, "csv-fields"))
            continue
        hosts.append(_entry(str(path), number, columns, fields, lines[number - 1]))
    if findings:
        raise Rejected(findings)
    return hosts


def _records(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, [field.strip() for field in next(csv.reader([line]), [])]


def _check_header(
    path: Path, line: int, columns: list[str], allowed: frozenset[str], findings: list[Finding]
) -> None:
    place = Place(str(path), line, 1)
    if "name" not in columns:
        hint = "the first line names the columns, such as name,mac,ip"
        findings.append(Finding(place, "there is no column `name`", "csv-header", hint))
    for position, name in enumerate(columns):
        if name in columns[:position]:
            findings.append(Finding(place, f"column `{name}` stands twice", "csv-header"))
        elif name != "name" and name not in allowed:
            hint = "columns are: name, ip, mac, " + ", ".join(sorted(allowed - {"address", "mac"}))
            findings.append(Finding(place, f"unknown column `{name}`", "csv-header", hint))


def _entry(
    file: str, number: int, columns: list[str], fields: list[str], line: str
) -> tuple[str, Mapping]:
    entry = Mapping(file, pack(number, 1))
    name = ""
    start = 0
    for column, text in zip(columns, fields, strict=True):
        found = line.find(text, start)
        mark = pack(number, found + 1)
        start = max(found + len(text), start)
        if column == "name":
            name = text
        elif text:
            entry[column] = _value(column, text)
            entry.marks.append(mark << PLACE_BITS | mark)
    return name, entry


def _value(column: str, text: str) -> object:
    if column in _LISTS:
        return text.split()
    if column in _NUMBERS and text.replace(".", "", 1).isdigit():
        return float(text) if "." in text else int(text)
    return text
