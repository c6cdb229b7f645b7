"""Worker nodes that are alike, read together: in columns, and what they share only once.

One node stands for all of a run; it is read like any other host. That is for sites without a
fault, and gives up at the first thing that is not as it should be: the ordinary way, one host
after the other, then finds the words for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from socket import AF_INET, inet_ntoa, inet_pton
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from threerc.compiler.model import KINDS, Alike, Farm, Site, WorkerNode, plain
from threerc.compiler.model.types import HostName, MacAddress
from threerc.compiler.source import ranges
from threerc.compiler.source.document import Mapping

SECTION: Final = "worker_nodes"
_FEWEST: Final = 16
"""Fewer nodes are not worth being read together."""
_OWN: Final = frozenset({"address", "mac"})
_APART: Final = frozenset({"name", "address6", "interfaces", "aliases"})
_NAMES: Final = TypeAdapter(list[HostName])
_MACS: Final = TypeAdapter(list[MacAddress])
_LAST_NUMBER: Final = re.compile(r"([0-9]+)(?=[^0-9]*$)")


class Uneven(Exception):
    """Something that has to be read the ordinary way."""


class Run(NamedTuple):
    """Nodes that stand one after the other, or as one range, with the same settings."""

    names: Sequence[str]
    bits: Sequence[int]
    macs: Sequence[str]
    settings: AnyMapping[str, Any]

    def part(self, start: int, end: int) -> Run:
        """Some of them."""
        span = slice(start, end)
        return Run(self.names[span], self.bits[span], self.macs[span], self.settings)

    def first(self, like: Mapping) -> Mapping:
        """The entry that the first of them would have alone, at the place of another."""
        address = inet_ntoa(self.bits[0].to_bytes(4, "big"))
        own = Mapping(like.file, like.here)
        for key, value in {"address": address, "mac": self.macs[0], **self.settings}.items():
            _put(own, key, value)
        return own


Entry = tuple[str, Any]
"""A key of the section, and what stands there."""
Items = Sequence[Run | Entry]
"""A section of worker nodes; the runs in it are of single entries."""


def items(section: Mapping) -> Items:
    """A section, with the single entries that follow each other and are alike as runs.

    Raises Uneven.
    """
    covered = {name for key in section if ranges.is_range(key) for name in _expanded(key)}
    found: list[Run | Entry] = []
    alike: list[str] = []
    shape: tuple[Any, ...] | None = None
    for key, own in section.items():
        like = None if key in covered or ranges.is_range(key) else _shape(own)
        if like is None or like != shape:
            found += _run_or_entries(section, alike)
            alike, shape = [], like
        alike.append(key)
    return [*found, *_run_or_entries(section, alike)]


def _run_or_entries(section: Mapping, keys: list[str]) -> Items:
    if len(keys) < _FEWEST:
        return [(key, section[key]) for key in keys]
    entries = [section[key] for key in keys]
    settings = {key: value for key, value in entries[0].items() if key not in _OWN}
    macs = _checked(_MACS, [each["mac"] for each in entries])
    keys = _checked(_NAMES, keys)
    return [Run(keys, _bits(each["address"] for each in entries), macs, settings)]


class Gathered:
    """A section of worker nodes, with one node of each run instead of all.

    `rest` is what has to be read, `runs` has the runs by the name of that one. Raises Uneven.
    """

    def __init__(self, section: Items, at: Mapping) -> None:
        self.rest = Mapping(at.file, at.here)
        self.runs: dict[str, Run] = {}
        alone = {each[0] for each in section if not isinstance(each, Run)}
        for each in section:
            if isinstance(each, Run):
                self._add(each, ranged=False)
            elif ranges.is_range(each[0]):
                self._add_range(*each, alone)
            else:
                self._keep(*each)

    def document(self, top: Mapping) -> Mapping:
        """The document with `rest` instead of the section."""
        found = Mapping(top.file, top.here)
        found.update(top)
        found.marks = top.marks
        found[SECTION] = self.rest
        return found

    def _add_range(self, key: str, own: Any, alone: set[str]) -> None:
        """Add a range, of which nodes with an entry of their own are kept apart."""
        run = _range(key, own)
        if run is None:
            self._keep(key, own)
            return
        apart = [] if alone.isdisjoint(run.names) else _positions(run.names, alone)
        start = 0
        for at in (*apart, len(run.names)):
            self._add(run.part(start, at), ranged=True)
            self._add(run.part(at, at + 1), ranged=True)
            start = at + 1

    def _add(self, run: Run, *, ranged: bool) -> None:
        if not run.names:
            return
        name = run.names[0]
        # A range of one name, which can be overridden by an entry of that name.
        key = _LAST_NUMBER.sub(r"[\1]", name) if ranged else name
        self._keep(key, run.first(self.rest))
        if name in self.runs:
            raise Uneven
        if len(run.names) > 1:
            self.runs[name] = run

    def _keep(self, key: str, own: Any) -> None:
        if key in self.rest:  # in another piece of the file
            raise Uneven
        _put(self.rest, key, own)

    def farm(self, site: Site) -> Farm:
        """All nodes, from the site that was made with `rest`.

        Raises Uneven where a node is not plain, or a name is not the only one.
        """
        names = [name for run in self.runs.values() for name in run.names]
        own = set(names)
        taken = {name for kind in KINDS for name in getattr(site, kind)}
        if len(own) < len(names) or not own.isdisjoint(taken - self.runs.keys()):
            raise Uneven
        parts: list[Alike | WorkerNode] = []
        for name, node in site.worker_nodes.items():
            run = self.runs.get(name)
            if run is not None and not plain(node):
                raise Uneven
            parts.append(node if run is None else Alike(node, run.names, run.bits, run.macs))
        return Farm(tuple(parts))


def _put(mapping: Mapping, key: str, value: Any) -> None:
    mapping[key] = value
    mapping.marks.append(mapping.here)


def _range(key: str, own: Any) -> Run | None:
    """A range as a run; None where it cannot be one."""
    if _shape(own) is None:
        return None
    names = _checked(_NAMES, _expanded(key))
    try:
        bits = ranges.address_numbers(own["address"], len(names))
        macs = ranges.macs(own["mac"], len(names))
    except ranges.RangeError:
        raise Uneven from None
    settings = {key: value for key, value in own.items() if key not in _OWN}
    return None if bits is None else Run(names, bits, _checked(_MACS, macs), settings)


def _shape(own: Any) -> tuple[Any, ...] | None:
    """What nodes have to share that are alike; None for what is like no other."""
    if not isinstance(own, Mapping) or not own.keys() >= _OWN or not _APART.isdisjoint(own):
        return None
    if type(own["address"]) is not str or type(own["mac"]) is not str:
        return None
    # To Python `1` and `true` are equal.
    return tuple((key, type(value), value) for key, value in own.items() if key not in _OWN)


def _expanded(key: str) -> list[str]:
    try:
        return ranges.expand(key)
    except ranges.RangeError:
        raise Uneven from None


def _positions(names: Sequence[str], wanted: set[str]) -> list[int]:
    return [at for at, name in enumerate(names) if name in wanted]


def _bits(addresses: Iterable[str]) -> list[int]:
    try:
        return [int.from_bytes(inet_pton(AF_INET, each)) for each in addresses]
    except (OSError, ValueError):
        raise Uneven from None


def _checked(adapter: TypeAdapter[list[str]], values: Sequence[str]) -> list[str]:
    try:
        return adapter.validate_python(values)
    except ValidationError:
        raise Uneven from None
