"""A CSV inventory as host entries that know their own line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.source.document import PLACE_BITS, Mapping, decode, pack

_SYNONYMS = {"ip": "address", "ip6": "address6"}
_LISTS = frozenset({"aliases", "roles", "switches", "pdus", "allowed", "start_after"})
_KEYS = "ssh_host_keys"
_BEFORE_KEY = re.compile(r" +(?=(?:ssh|ecdsa|sk)-[^ ]+ AAAA)")
_NUMBERS = frozenset({"cpus", "inst", "priority", "maxl"})
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")

Row = tuple[str, Mapping]
"""A host's name and its entry."""


def read(path: Path, allowed: Iterable[str]) -> tuple[list[Row], list[Finding]]:
    """The hosts of a CSV file, and what is wrong with it. Lists are separated by spaces.

    `#` lines and empty lines are skipped, empty fields are left out. Raises Rejected where the
    file or its header cannot be read.
    """
    # Not splitlines(), which knows more ends of lines than the editors that show line numbers.
    lines = _LINE_BREAK.split(decode(path))
    findings: list[Finding] = []
    table = _records(path, lines, findings)
    header_line, header = next(table, (1, []))
    columns = [_SYNONYMS.get(name.lower(), name.lower()) for name in header]
    _check_header(path, header_line, columns, frozenset(allowed), findings)
    if findings:
        raise Rejected(findings)
    hosts: list[Row] = []
    for number, fields in table:
        place = Place(str(path), number, 1)
        if len(fields) != len(columns):
            message = f"{len(fields)} fields, but the header has {len(columns)}"
            findings.append(Finding(place, message, "csv-fields"))
            continue
        name, entry = _entry(str(path), number, columns, fields, lines[number - 1])
        if name:
            hosts.append((name, entry))
        else:
            findings.append(Finding(place, "the field `name` is empty", "csv-fields"))
    return hosts, findings


def _records(
    path: Path, lines: list[str], findings: list[Finding]
) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line that has any."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            fields = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            hint = 'quotes enclose a whole field, on one line; a quote in it is doubled: ""'
            findings.append(Finding(Place(str(path), number, 1), f"not CSV: {error}", "csv", hint))
            continue
        yield number, [field.strip() for field in fields]


def _check_header(
    path: Path, line: int, columns: list[str], allowed: frozenset[str], findings: list[Finding]
) -> None:
    place = Place(str(path), line, 1)
    if "name" not in columns:
        hint = "the first line names the columns, with commas between them, such as name,mac,ip"
        findings.append(Finding(place, "there is no column `name`", "csv-header", hint))
        return
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
        found = max(line.find(text, start), 0)  # a field with doubled quotes is not found
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
    if column == _KEYS:  # each has spaces in it
        return _BEFORE_KEY.split(text)
    if column in _NUMBERS and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
