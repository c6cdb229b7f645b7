"""Equal hosts folded: what counts up becomes ranges, what many share becomes groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from threerc.compiler.importing.draft import Draft, DraftHost, Seat
from threerc.compiler.importing.facts import Address

_NUMBERED = re.compile(r"(.*?)([0-9]+)")
_LEAST = 3
"""Hosts that make a range."""
_SHARED = ("os", "middleware", "boot", "dual_boot", "dns", "dhcp")
"""Keys that groups are made of."""
_DISKS = ["sda", "sdb", "sdc", "sdd", "sde", "sdf", "sdg", "sdh"]


@dataclass
class Entry:
    """An entry of a section: a host or a range, and its keys. `own` are entries of single hosts
    of a range, which say what is not the same for all.
    """

    name: str
    keys: dict[str, Any]
    own: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Folded:
    """All entries by section, and the groups that they inherit from."""

    sections: dict[str, list[Entry]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)


def fold(draft: Draft) -> Folded:
    """The hosts of a draft in as few entries as may be."""
    folded = Folded()
    for host in draft.hosts.values():
        folded.sections.setdefault(host.section, [])
    for section, entries in folded.sections.items():
        hosts = [host for host in draft.hosts.values() if host.section == section]
        first = [host for host in hosts if host.roles]
        rest = sorted((host for host in hosts if not host.roles), key=_natural)
        for run in _runs([*first, *rest]):
            for part in _by_macs(run):
                entries.extend(_entries(part))
    _group(folded)
    return folded


def _natural(host: DraftHost) -> list[tuple[bool, int, str]]:
    pieces = re.split(r"([0-9]+)", host.name.lower())
    return [(each.isdigit(), int(each) if each.isdigit() else 0, each) for each in pieces]


def _runs(hosts: list[DraftHost]) -> Iterator[list[DraftHost]]:
    """Hosts that follow one another in names and addresses, and are equal in the rest."""
    run: list[DraftHost] = []
    for host in hosts:
        if run and not _follows(run[-1], host):
            yield run
            run = []
        run.append(host)
    if run:
        yield run


def _by_macs(run: list[DraftHost]) -> Iterator[list[DraftHost]]:
    """A run, cut where many MACs in a row count up: they are ranges too then."""
    loose: list[DraftHost] = []
    for part in _counting(run):
        if len(part) < _LEAST:
            loose += part
            continue
        if loose:
            yield loose
            loose = []
        yield part
    if loose:
        yield loose


def _counting(run: list[DraftHost]) -> Iterator[list[DraftHost]]:
    """The parts of a run in which MACs count up, or in which there are none."""
    part: list[DraftHost] = []
    for host in run:
        if part and _number(part[-1]) + bool(host.mac) != _number(host):
            yield part
            part = []
        part.append(host)
    if part:
        yield part


def _number(host: DraftHost) -> int:
    return int(host.mac.replace(":", ""), 16) if host.mac else -1


def _follows(one: DraftHost, other: DraftHost) -> bool:
    first, second = _NUMBERED.fullmatch(one.name), _NUMBERED.fullmatch(other.name)
    if first is None or second is None or first[1] != second[1]:
        return False
    number = int(first[2]) + 1
    if second[2] not in {f"{number:0{len(first[2])}d}"} or len(first[2]) != len(second[2]):
        return False
    return (
        _next(one.address, other.address)
        and _next(one.address6, other.address6)
        and _alike(one) == _alike(other)
        and not (one.interfaces or other.interfaces or one.roles or other.roles)
    )


def _next(one: Address | None, other: Address | None) -> bool:
    if one is None or other is None:
        return one is other
    return int(one) + 1 == int(other)


def _alike(host: DraftHost) -> tuple[Any, ...]:
    own = (host.os, host.middleware, host.boot, host.disks, host.dns, host.dhcp, host.more)
    return host.description, *own


def _entries(run: list[DraftHost]) -> Iterator[Entry]:
    if len(run) < _LEAST:
        for host in run:
            yield Entry(host.name, {**_addresses([host]), **_named(host), **_rest(host)})
        return
    match = _NUMBERED.fullmatch(run[0].name)
    stem, first = (match[1], match[2]) if match else (run[0].name, "")
    last = run[-1].name[len(stem) :]
    entry = Entry(f"{stem}[{first}-{last}]", {**_addresses(run), **_rest(run[0])})
    if run[0].description:
        entry.keys = {"description": run[0].description, **entry.keys}
    if aliases := _alias_range([host.aliases for host in run]):
        entry.keys["aliases"] = [aliases]
    for host in run:
        own = {key: value for key, value in _named(host).items() if key not in entry.keys}
        if "mac" not in entry.keys and host.mac:
            own = {"mac": host.mac, **own}
        if own:
            entry.own[host.name] = own
    yield entry


def _alias_range(aliases: list[list[str]]) -> str:
    """The range of aliases, one for each host, that count up; empty where they do not."""
    found = [_NUMBERED.fullmatch(each[0]) if len(each) == 1 else None for each in aliases]
    first = found[0]
    if first is None:
        return ""
    width, start = len(first[2]), int(first[2])
    wanted = [f"{first[1]}{start + at:0{width}d}" for at in range(len(aliases))]
    if [each[0] if each else "" for each in found] != wanted or first[2] != str(start).zfill(width):
        return ""
    return f"{first[1]}[{first[2]}-{wanted[-1][len(first[1]) :]}]"


def _addresses(run: list[DraftHost]) -> dict[str, Any]:
    """Addresses and MACs of a run; MACs only where they count up."""
    keys: dict[str, Any] = {}
    for key in ("address", "address6"):
        ends = [getattr(run[0], key), getattr(run[-1], key)]
        if ends[0] is not None:
            keys[key] = str(ends[0]) if len(run) == 1 else f"{ends[0]}-{ends[1]}"
    macs = [host.mac for host in run if host.mac]
    numbers = [int(mac.replace(":", ""), 16) for mac in macs]
    counting = [numbers[0] + at for at in range(len(run))] if numbers else []
    if numbers and numbers == counting:
        keys["mac"] = macs[0] if len(run) == 1 else f"{macs[0]}-{macs[-1]}"
    return keys


def _named(host: DraftHost) -> dict[str, Any]:
    """What each host says for itself."""
    keys: dict[str, Any] = {}
    if host.description:
        keys["description"] = host.description
    if host.aliases:
        keys["aliases"] = sorted(host.aliases)
    return keys


def _rest(host: DraftHost) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if host.interfaces:
        keys["interfaces"] = {name: _seat(seat) for name, seat in host.interfaces.items()}
    if host.roles:
        keys["roles"] = list(host.roles)
    keys |= {key: value for key in ("os", "middleware") if (value := getattr(host, key))}
    if host.disks:
        keys["dual_boot"] = {"disks": _DISKS[: host.disks]}
    if host.boot and host.boot != ("disk1" if host.disks else "local"):
        keys["boot"] = host.boot
    if host.dns != "all":
        keys["dns"] = host.dns
    if host.dhcp:
        keys["dhcp"] = list(host.dhcp)
    return {**keys, **host.more}


def _seat(seat: Seat) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for key, value in (("address", seat.address), ("address6", seat.address6), ("mac", seat.mac)):
        if value is not None:
            keys[key] = str(value)
    if seat.dns != "all":
        keys["dns"] = seat.dns
    if seat.dhcp:
        keys["dhcp"] = list(seat.dhcp)
    return keys


def _group(folded: Folded) -> None:
    """What three entries or more share in these keys becomes a group."""
    entries = [each for section in folded.sections.values() for each in section]
    counts = Counter(repr(bundle) for each in entries if (bundle := _bundle(each)))
    names: dict[str, str] = {}
    for entry in entries:
        bundle = _bundle(entry)
        text = repr(bundle)
        if counts[text] < _LEAST:
            continue
        if text not in names:
            names[text] = _group_name(bundle, folded)
            folded.groups[names[text]] = bundle
        entry.keys = {k: v for k, v in entry.keys.items() if k not in bundle}
        entry.keys["groups"] = [names[text]]


def _bundle(entry: Entry) -> dict[str, Any]:
    return {key: entry.keys[key] for key in _SHARED if key in entry.keys}


def _group_name(bundle: dict[str, Any], folded: Folded) -> str:
    """A name that says what its hosts have in common."""
    words = [bundle[key] for key in ("middleware", "os", "boot") if key in bundle]
    words += ["dual-boot"] if "dual_boot" in bundle and not words else []
    words += [f"dns-{bundle['dns']}"] if "dns" in bundle and not words else []
    base = "-".join(words[:2]) or "dhcp"
    name, number = base, 1
    while name in folded.groups:
        number += 1
        name = f"{base}-{number}"
    return name
