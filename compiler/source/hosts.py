"""Host entries into single hosts: ranges and inventories expanded, groups and defaults merged.

A key given nearer replaces the whole value of one given farther: the host's own entry, a range
that covers it or its CSV line, its groups (the last named is nearest), the defaults of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Sized
from copy import copy
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.model.host import KINDS, HostKind
from threerc.compiler.source import inventory, ranges
from threerc.compiler.source.document import Mapping, Sequence, locate

_Layer = tuple[str, Mapping]
_COUNTED = {"address": ranges.addresses, "address6": ranges.addresses, "mac": ranges.macs}


@dataclass(slots=True)
class Origin:
    """Where a host's values come from, nearest first, each with its group's name if it has one."""

    layers: tuple[_Layer, ...]
    at: tuple[Mapping | Sequence, Any]

    def layer(self, key: str) -> _Layer | None:
        """The layer that gives a key, or None."""
        return next((found for found in self.layers if key in found[1]), None)

    def place(self, path: tuple[Any, ...], *, key: bool = False) -> Place:
        """The place of a value of this host, or of the host itself."""
        found = self.layer(path[0]) if path else None
        if found is None:
            return locate(self.at[0], [self.at[1]], key=True)
        return locate(found[1], path, key=key)


@dataclass(slots=True)
class _Entry:
    """Hosts that share one entry: a single host, a range, or a line of an inventory."""

    names: list[str]
    own: Mapping
    at: tuple[Mapping | Sequence, Any]
    groups: list[str]
    ranged: bool = False


@dataclass
class Hosts:
    """All single hosts of a document, as data for the model, with their origins.

    `spoilt` are sections and names of hosts that miss a value, `lost` the names of hosts that
    are missing; without `complete` there are more of these, of unknown names.
    """

    sections: dict[HostKind, dict[str, dict[str, Any]]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    spoilt: set[tuple[str, str]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    complete: bool = True


def resolve(document: Mapping, folder: Path) -> Hosts:
    """Take the host sections, groups, defaults and inventories out of a document.

    `folder` is where inventories are found. Never raises: findings are in the result.
    """
    return _Resolver(document, folder).run()


class _Resolver:
    def __init__(self, document: Mapping, folder: Path) -> None:
        self.document = document
        self.folder = folder
        self.hosts = Hosts()
        self.groups = _mapping(document, "groups")
        self.defaults = _mapping(document, "defaults")
        self._known: dict[tuple[str, ...], list[_Layer]] = {}

    def run(self) -> Hosts:
        """Resolve all sections."""
        from_csv = list(self._inventories())
        for section in KINDS:
            entries = [entry for kind, entry in from_csv if kind == section]
            entries += self._entries(section)
            self.hosts.sections[section] = self._merge(section, entries)
        return self.hosts

    def _report(self, place: Place, message: str, rule: str, hint: str = "") -> None:
        self.hosts.findings.append(Finding(place, message, rule, hint))

    def _inventories(self) -> Iterator[tuple[str, _Entry]]:
        listed = self.document.get("inventories")
        for position, each in enumerate(listed if isinstance(listed, Sequence) else ()):
            section = each.get("section") if isinstance(each, Mapping) else None
            if section not in KINDS or not isinstance(each.get("file"), str):
                self.hosts.complete = False  # the model says what is wrong with it
                continue
            path = self.folder / each["file"]
            if not _is_file(path):
                place = locate(self.document, ["inventories", position, "file"])
                message = f"there is no file `{each['file']}` beside the site file"
                self._report(place, message, "inventory-exists")
                self.hosts.complete = False
                continue
            for name, own in self._rows(path, section):
                holder = Sequence(own.file, own.here)
                yield section, _Entry([name], own, (holder, 0), _group_names(each), ranged=True)

    def _rows(self, path: Path, section: HostKind) -> list[inventory.Row]:
        try:
            rows, findings = inventory.read(path, _columns_of(section))
        except Rejected as rejected:
            rows, findings = [], rejected.findings
        self.hosts.findings.extend(findings)
        self.hosts.complete &= not findings
        return rows

    def _entries(self, section: HostKind) -> Iterator[_Entry]:
        written = _mapping(self.document, section)
        if not isinstance(self.document.get(section, written), Mapping | None):
            place = locate(self.document, [section])
            self._report(place, f"`{section}` has to be a mapping of hosts by name", "type")
            self.hosts.complete = False
        for key, value in written.items():
            own = Mapping(written.file, written.here) if value is None else value
            if not isinstance(own, Mapping):
                place = locate(written, [key])
                self._report(place, f"`{key}` has to be a mapping of its settings", "type")
                self._lose(section, key)
                continue
            ranged = ranges.is_range(key)
            try:
                names = ranges.expand(key) if ranged else [key]
            except ranges.RangeError as error:
                self._report(locate(written, [key], key=True), str(error), "range")
                self._lose(section, key)
                continue
            yield _Entry(names, own, (written, key), _group_names(own), ranged)

    def _lose(self, section: HostKind, key: str) -> None:
        self.hosts.lost.add(key)
        self.hosts.spoilt.add((section, key))
        self.hosts.complete &= not ranges.is_range(key)

    def _merge(self, section: HostKind, entries: list[_Entry]) -> dict[str, dict[str, Any]]:
        """Ranges and inventories first, so that a single entry can override them."""
        data: dict[str, dict[str, Any]] = {}
        from_range: set[str] = set()
        for entry in sorted(entries, key=lambda each: not each.ranged):
            self._check_keys(entry)
            inherited = self._layers(section, entry)
            origin = Origin((("", entry.own), *inherited), entry.at)
            base = _united(inherited)
            columns = self._columns(section, entry)
            doubles: list[str] = []
            for position, name in enumerate(entry.names):
                known = self.hosts.origins.get(name)
                if known is None:
                    self.hosts.origins[name] = origin
                    data[name] = {**base, **entry.own, "name": name}
                elif name in from_range and not entry.ranged:
                    data[name] = self._override(data[name], entry, name, inherited)
                else:
                    doubles.append(name)
                    continue
                for column in columns:
                    column.put(data[name], position)
            if doubles:
                self._double(
                    doubles, origin, overlap=len(entry.names) > 1 and doubles[0] in from_range
                )
            if entry.ranged:
                from_range.update(entry.names)
        return data

    def _override(
        self, ranged: dict[str, Any], entry: _Entry, name: str, inherited: list[_Layer]
    ) -> dict[str, Any]:
        """A host of a range with an entry of its own, which is nearer than the range's."""
        known = self.hosts.origins[name]
        groups = [layer for layer in inherited if layer not in known.layers]
        own, *farther = known.layers
        layers = (("", entry.own), own, *groups, *farther)
        self.hosts.origins[name] = Origin(layers, entry.at)
        counted = {key: ranged[key] for key in own[1] if key in ranged}
        return {**_united([*groups, *farther]), **counted, **entry.own, "name": name}

    def _check_keys(self, entry: _Entry) -> None:
        if "name" in entry.own:
            place = locate(entry.own, ["name"], key=True)
            hint = "the key above is the host's name"
            self._report(place, "unknown key `name`", "unknown-key", hint)

    def _double(self, names: list[str], origin: Origin, *, overlap: bool) -> None:
        first = self.hosts.origins[names[0]].place(())
        which = (
            f"host `{names[0]}` stands"
            if len(names) == 1
            else (f"host `{names[0]}` and {len(names) - 1:,} more stand")
        )
        message = f"{which} here again; it was given in {first.file}:{first.line}"
        hint = "split the ranges: only an entry of a single host may stand beside a range with it"
        hint = hint if overlap else "every host has one entry"
        self._report(origin.place(()), message, "unique-name", hint)

    def _layers(self, section: HostKind, entry: _Entry) -> list[_Layer]:
        """What an entry inherits, nearest first; unknown groups are reported once an entry."""
        key = (section, *entry.groups)
        if key in self._known:
            return self._known[key]
        layers: list[_Layer] = []
        missing = False
        for name in reversed(entry.groups):
            group = self.groups.get(name)
            if isinstance(group, Mapping):
                layers.append((f"group `{name}`", group))
            elif name not in self.groups:
                missing = True
                self._unknown_group(name, entry)
        defaults = self.defaults.get(section)
        if isinstance(defaults, Mapping):
            layers.append((f"the defaults of {section}", defaults))
        if missing:
            self._spoil(section, entry)
        else:
            self._known[key] = layers
        return layers

    def _spoil(self, section: HostKind, entry: _Entry) -> None:
        self.hosts.spoilt.update((section, name) for name in entry.names)

    def _unknown_group(self, name: str, entry: _Entry) -> None:
        origin = Origin((("", entry.own),), entry.at)
        near = get_close_matches(name, list(self.groups), 1)
        message = f"there is no group `{name}`" + (f", did you mean `{near[0]}`?" if near else "")
        self._report(origin.place(("groups",)), message, "group-exists")

    def _columns(self, section: HostKind, entry: _Entry) -> list[_Column]:
        """The values of an entry that count up with its names."""
        if not ranges.is_range(str(entry.at[1])):
            return []
        columns: list[_Column] = []
        for path, text, count_up in _counted(entry.own):
            try:
                columns.append(_Column(path, count_up(text, len(entry.names))))
            except ranges.RangeError as error:
                self._report(locate(entry.own, path), str(error), "range")
                self._spoil(section, entry)
                columns.append(_Column(path, None))
        return columns


@dataclass(slots=True)
class _Column:
    """A value of each host of a range; None where it could not be counted."""

    path: tuple[Any, ...]
    values: Sized[Any] | None

    def put(self, host: dict[str, Any], position: int) -> None:
        """Set this value for the host at that position of the range, sharing nothing changed."""
        *way, last = self.path
        target: Any = host
        for step in way:
            target[step] = copy(target[step])
            target = target[step]
        if self.values is not None:
            target[last] = self.values[position]
        elif isinstance(last, str):
            del target[last]


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file could have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _columns_of(section: HostKind) -> set[str]:
    """The keys that a field of a CSV line can hold: text, numbers, and lists of words."""
    fields = KINDS[section].model_fields
    flat = {name for name, field in fields.items() if not _structured(field.annotation)}
    return flat - {"name", "groups", "dhcp"}


def _structured(kind: Any) -> bool:
    """Whether a type has settings of its own somewhere inside."""
    if isinstance(kind, type):
        return issubclass(kind, BaseModel)
    return get_origin(kind) is dict or any(map(_structured, get_args(kind)))


def _united(layers: Iterable[_Layer]) -> dict[str, Any]:
    """The values of layers, of which the first is the nearest."""
    values: dict[str, Any] = {}
    for _, layer in reversed([*layers]):
        values.update(layer)
    return values


def _counted(own: Mapping) -> Iterator[tuple[tuple[Any, ...], str, Any]]:
    for way, holder in [((), own), *_interfaces(own)]:
        for key, count_up in _COUNTED.items():
            if isinstance(holder.get(key), str):
                yield (*way, key), holder[key], count_up
    aliases = own.get("aliases")
    for position, alias in enumerate(aliases if isinstance(aliases, Sequence) else ()):
        yield ("aliases", position), str(alias), ranges.names


def _interfaces(own: Mapping) -> Iterator[tuple[tuple[str, str], Mapping]]:
    for name, interface in _mapping(own, "interfaces").items():
        if isinstance(interface, Mapping):
            yield ("interfaces", name), interface


def _mapping(holder: Mapping, key: str) -> Mapping:
    found = holder.get(key)
    return found if isinstance(found, Mapping) else Mapping(holder.file, holder.here)


def _group_names(holder: Mapping) -> list[str]:
    listed = holder.get("groups")
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
