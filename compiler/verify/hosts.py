"""/etc/hosts and ClusterShell's groups, read back as the resolver and ClusterShell read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

import yaml

from threerc.compiler.verify.base import Checker, Failure, Staged

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_OUTER_COMMA = re.compile(r",(?![^\[]*\])")
_PART = re.compile(r"([^\[\]]+)(?:\[([0-9,-]+)\])?")
_DEFAULT = re.compile(r"^default: (\S+)$", re.MULTILINE)


def _check(staged: Staged) -> Iterator[Failure]:
    """Each hosts file, and the groups against the names of all of them."""
    complaints: dict[str, list[tuple[int, str]]] = {}
    names: set[str] = set()
    texts = {path: file.read_text(encoding="utf-8") for path, file in staged.files("hosts")}
    for path, text in texts.items():
        if not path.endswith("/hosts"):
            continue
        if text not in complaints:  # nearly all hosts have the same file
            complaints[text] = list(_misread(text))
            names.update(name for _, _, line in _lines(text) for name in line)
        yield from (Failure(path, line, message) for line, message in complaints[text])
    for path, text in texts.items():
        folder, is_groups, _ = path.partition("/groups.d/")
        if is_groups:
            default = _DEFAULT.search(texts[f"{folder}/groups.conf"])
            yield from (Failure(path, 0, each) for each in _wrong(text, default, names))


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The entries of an /etc/hosts: line, address and names."""
    for number, line in enumerate(text.splitlines(), 1):
        address, *names = line.partition("#")[0].split() or [""]
        if address:
            yield number, address, names


def _misread(text: str) -> Iterator[tuple[int, str]]:
    """What the resolver would not find, in either direction, with line numbers."""
    lines: dict[str, int] = {}
    owners: dict[tuple[str, int], str] = {}
    for number, address, names in _lines(text):
        try:
            version = ip_address(address).version
        except ValueError:
            yield number, f"{address} is not an address"
            continue
        if lines.setdefault(address, number) != number:
            yield number, f"{address} is on line {lines[address]} already"
        if not names:
            yield number, f"{address} has no name"
        for name in names:
            if not _NAME.fullmatch(name):
                yield number, f"{name} is not a host name"
            owner = owners.setdefault((name.lower(), version), address)
            if owner != address:
                yield number, f"{name} is {owner} already"
    if ("localhost", 4) not in owners:
        yield 0, "localhost is missing"


def _wrong(text: str, default: re.Match[str] | None, known: set[str]) -> Iterator[str]:
    """What ClusterShell would not take or not mean."""
    try:
        sources = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"not YAML: {error}"
        return
    if default is None or default[1] not in sources:
        yield "groups.conf does not name one of these as its default"
    for source, groups in sources.items():
        for group, node_set in groups.items():
            if not isinstance(group, str):
                yield f"{source}: the group {group!r} is not a text"
            nodes = set(_nodes(_OUTER_COMMA.split(node_set)))
            if unknown := sorted(nodes - known - {f"@{each}" for each in groups}):
                yield f"@{source}:{group} has {unknown[0]}, which is in no hosts file"


def _nodes(parts: Iterable[str]) -> Iterator[str]:
    """The names of a node set, given its parts; a part that is none is its own name."""
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None or match[2] is None:
            yield part
            continue
        for span in match[2].split(","):
            first, _, last = span.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield f"{match[1]}{number:0{len(first)}}"


CHECKER = Checker("hosts", "", "", _check)
