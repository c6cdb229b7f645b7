"""A draft as the text of site.yaml: in the order people read it, with what it cannot say below."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from threerc.compiler.importing.draft import Draft, DraftNetwork
from threerc.compiler.importing.facts import Lost
from threerc.compiler.importing.folding import Entry, Folded, fold
from threerc.compiler.wording import counted

_WORD = re.compile(r"[A-Za-z/](?:[A-Za-z0-9 ._/@+()-]|:(?=/))*(?<! )")
_RANGE = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:\[[0-9,-]+\][A-Za-z0-9-]*)+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?[KMGTP]i?B")
_ADDRESSES = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]+)?(?:-[0-9.]{7,15})?")
_MACS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?:-(?:[0-9a-f]{2}:){5}[0-9a-f]{2})?")
_WIDTH = 100
_SECRET = re.compile(r"secret|password|passwd|omapi-key|\bkey\b", re.IGNORECASE)
_MOST_LINES = 40
_SECTIONS = ("physical_hosts", "virtual_machines", "worker_nodes", "service_hosts")
_HEAD = """\
# Written by 3rc import from the files of the site. Read it, and make it yours:
# `3rc import --verify` compares it with these files as often as you like.
"""
_ABOUT = {
    "worker_nodes": "All hosts whose kind no file tells are here: no files are made for these "
    "one by one.",
    "service_hosts": "Hosts with roles.",
}


def text_of(draft: Draft) -> str:
    """The text of site.yaml."""
    folded = fold(draft)
    parts = [_HEAD + "".join(_lines(_top(draft)))]
    parts += ["".join(_lines({k: v})) for k, v in _sections(draft, folded)]
    parts += [
        _hosts(section, folded.sections[section])
        for section in _SECTIONS
        if folded.sections.get(section)
    ]
    lost = "".join(_lost(draft.facts.lost))
    return "\n".join([*parts, lost] if lost else parts)


def _top(draft: Draft) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9._+-]", "-", draft.domain.partition(".")[0]) or "site"
    top: dict[str, Any] = {"site": name, "domain": draft.domain}
    if draft.dhcp:
        top["dhcp"] = {"statements": draft.dhcp}
    return top


def _sections(draft: Draft, folded: Folded) -> Iterator[tuple[str, dict[str, Any]]]:
    networks = draft.networks or {"lan": DraftNetwork("lan")}
    yield "networks", {name: _network(each) for name, each in networks.items()}
    dns = dict(draft.dns)
    zones = {
        name: {k: v for k, v in (("ttl", zone.ttl), ("records", zone.records)) if v or v == 0}
        for name, zone in draft.zones.items()
    }
    if zones:
        dns["zones"] = zones
    if dns:
        yield "dns", dns
    if draft.profiles:
        yield "os_profiles", {name: each.keys for name, each in draft.profiles.items()}
    if draft.middleware:
        yield "middleware", {name: {} for name in draft.middleware}
    if draft.volumes:
        yield "volumes", draft.volumes
    if folded.groups:
        yield "groups", folded.groups


def _network(network: DraftNetwork) -> dict[str, Any]:
    pool = network.pool
    keys = {
        "prefix": network.prefix,
        "prefix6": network.prefix6,
        "gateway": network.gateway,
        "dns": network.dns,
        "ntp": network.ntp,
        "domain": network.domain,
        "pool": f"{pool[0]}-{pool[1]}" if pool else None,
        "vlan": network.vlan,
        "boot": network.boot,
        "lease": network.lease if network.lease != 86400 else None,
        "dhcp": network.dhcp,
    }
    return {k: v if isinstance(v, list | int) else str(v) for k, v in keys.items() if v}


def _hosts(section: str, entries: list[Entry]) -> str:
    about = f"# {_ABOUT[section]}\n" if section in _ABOUT else ""
    lines = [f"{about}{section}:\n"]
    for entry in entries:
        lines += _lines({entry.name: entry.keys}, "  ")
        for name, own in entry.own.items():
            lines += _lines({name: own}, "  ")
    return "".join(lines)


def _lines(node: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A mapping in block style, and whatever fits into a line in flow style."""
    for key, value in node.items():
        # In block style a bracket is as good as any letter behind the first one.
        head = f"{indent}{key if _RANGE.fullmatch(key) else scalar(key)}:"
        flow = _flow(value)
        fits = len(head) + len(flow) < _WIDTH
        nested = isinstance(value, dict | list) and bool(value)
        if not nested or (indent and fits and not _is_deep(value)):
            yield f"{head} {flow}\n"
        elif isinstance(value, dict):
            yield f"{head}\n"
            yield from _lines(value, f"{indent}  ")
        elif fits and all(not isinstance(each, str) or " " not in each for each in value):
            yield f"{head} {flow}\n"
        else:
            yield f"{head}\n"
            yield from (f"{indent}  - {_flow(each)}\n" for each in value)


def _is_deep(value: Any) -> bool:
    """Whether a mapping has a mapping inside that people read better on lines of its own."""
    parts = value.values() if isinstance(value, dict) else value
    return any(isinstance(each, dict) for each in parts) and len(value) > 1


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A value as all readers of YAML take it, quoted where one might take it for another."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if _ADDRESSES.fullmatch(text) or (_MACS.fullmatch(text) and re.search("[a-f]", text)):
        return text
    if _NUMBER.fullmatch(text):
        return text
    if _WORD.fullmatch(text) and yaml.safe_load(text) == text and text.lower() not in {"y", "n"}:
        return text
    return "".join(
        c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False)
    )


def _lost(lost: list[Lost]) -> Iterator[str]:
    """What site.yaml does not say, as comments; text is kept where there is no secret in it."""
    if lost:
        yield f"# Not in this file, or otherwise than it was ({counted(len(lost), 'thing')}):\n"
    for each in lost:
        yield f"#\n# {each.place.file}:{each.place.line}: {_plain(each.reason)}\n"
        if _SECRET.search(each.text):
            continue
        said = each.text.strip("\n").split("\n") if each.text.strip() else []
        yield from (f"#     {_plain(line)}\n" for line in said[:_MOST_LINES])
        if len(said) > _MOST_LINES:
            yield f"#     ... and {counted(len(said) - _MOST_LINES, 'more line')}\n"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
