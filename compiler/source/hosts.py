"""Host entries into single hosts: ranges and inventories expanded, groups and defaults merged.

A key given nearer replaces the whole value of one given farther: the host's own entry, a range
that covers it or its CSV line, its groups (the last named is nearest), the defaults of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Sized
from copy import copy
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.model.host import KINDS, HostKind
from threerc.compiler.source import inventory, ranges
from threerc.compiler.source.document import Mapping, Sequence, locate

_COUNTED = {"address": ranges.addresses, "address6": ranges.addresses, "mac": ranges.macs}


@dataclass(slots=True)
class Origin:
    """Where a host's values come from, nearest first, each with its group's name if it has one."""

    layers: tuple[tuple[str, Mapping], ...]
    at: tuple[Mapping | Sequence, Any]

    def layer(self, key: str) -> tuple[str, Mapping] | None:
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
    """All single hosts of a document, as data for the model, with their origins."""

    sections: dict[HostKind, dict[str, dict[str, Any]]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


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
        self._known: dict[tuple[str, ...], list[tuple[str, Mapping]]] = {}

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
                continue
            groups = _group_names(each)
            path = self.folder / each["file"]
            if not path.is_file():
                place = locate(self.document, ["inventories", position, "file"])
                message = f"there is no file `{each['file']}` beside the site file"
                self._report(place, message, "inventory-exists")
                continue
            try:
                rows = inventory.read(path, set(KINDS[section].model_fields) - {"name", "groups"})
            except Rejected as rejected:
                self.hosts.findings.extend(rejected.findings)
                continue
            for name, own in rows:
                holder = Sequence(own.file, own.here)
                yield section, _Entry([name], own, (holder, 0), groups, ranged=True)

    def _entries(self, section: HostKind) -> Iterator[_Entry]:
        written = _mapping(self.document, section)
        for key, value in written.items():
            own = value
            if value is None:
                own = Mapping(written.file, written.here)
            elif not isinstance(value, Mapping):
                place = locate(written, [key])
                self._report(place, f"`{key}` has to be a mapping of its settings", "type")
                continue
            names = [key]
            ranged = ranges.is_range(key)
            if ranged:
                try:
                    names = ranges.expand(key)
                except ranges.RangeError as error:
                    self._report(locate(written, [key], key=True), str(error), "range")
                    continue
            yield _Entry(names, own, (written, key), _group_names(own), ranged)

    def _merge(self, section: HostKind, entries: list[_Entry]) -> dict[str, dict[str, Any]]:
        """Ranges and inventories first, so that a single entry can override them."""
        data: dict[str, dict[str, Any]] = {}
        from_range: set[str] = set()
        for entry in sorted(entries, key=lambda each: not each.ranged):
            inherited = self._layers(section, entry)
            base: dict[str, Any] = {}
            for _, layer in reversed(inherited):
                base.update(layer)
            if "name" in entry.own:
                place = locate(entry.own, ["name"], key=True)
                hint = "the key above is the host's name"
                self._report(place, "unknown key `name`", "unknown-key", hint)
            origin = Origin((("", entry.own), *inherited), entry.at)
            columns = self._columns(entry)
            for position, name in enumerate(entry.names):
                known = self.hosts.origins.get(name)
                merged = {**base, **entry.own, "name": name}
                for column in columns:
                    column.put(merged, position)
                if known is None:
                    self.hosts.origins[name] = origin
                elif name in from_range and not entry.ranged:
                    from_range.discard(name)
                    layers = (*origin.layers, *known.layers)
                    self.hosts.origins[name] = Origin(layers, entry.at)
                    merged = {**data[name], **base, **entry.own}
                else:
                    self._double(name, origin, known)
                    continue
                data[name] = merged
                if entry.ranged:
                    from_range.add(name)
        return data

    def _double(self, name: str, origin: Origin, known: Origin) -> None:
        first = known.place(())
        message = f"host `{name}` stands here again; it was given in {first.file}:{first.line}"
        self._report(origin.place(()), message, "unique-name", "every host has one entry")

    def _layers(self, section: HostKind, entry: _Entry) -> list[tuple[str, Mapping]]:
        """What an entry inherits, nearest first; unknown groups are reported once an entry."""
        key = (section, *entry.groups)
        if key in self._known:
            return self._known[key]
        layers: list[tuple[str, Mapping]] = []
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
        if not missing:
            self._known[key] = layers
        return layers

    def _unknown_group(self, name: str, entry: _Entry) -> None:
        origin = Origin((("", entry.own),), entry.at)
        near = get_close_matches(name, list(self.groups), 1)
        message = f"there is no group `{name}`" + (f", did you mean `{near[0]}`?" if near else "")
        self._report(origin.place(("groups",)), message, "reference")

    def _columns(self, entry: _Entry) -> list[_Column]:
        """The values of an entry that count up with its names."""
        if not ranges.is_range(str(entry.at[1])):
            return []
        columns: list[_Column] = []
        for path, text, count_up in _counted(entry.own):
            try:
                columns.append(_Column(path, count_up(text, len(entry.names))))
            except ranges.RangeError as error:
                self._report(locate(entry.own, path), str(error), "range")
                columns.append(_Column(path, None))
        return columns


@dataclass(slots=True)
class _Column:
    """A value of each host of a range; None where it could not be counted."""

    path: tuple[Any, ...]
    values: Sized | None

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
