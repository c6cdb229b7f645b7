"""A site in a few lines: controller.yaml in which everything has a default.

It is for scenarios, whose readers want to see what matters and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_GIB: Final = 1 << 30
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": _GIB, "TiB": 1 << 40}
_SIZE: Final = re.compile(r"(\d+) ?(B|KiB|MiB|GiB|TiB)")
_RANGE: Final = re.compile(r"(.*?)\[(\d+)-(\d+)\](.*)")
_MOST: Final = 10_000
_BOARD: Final = {
    "kind": "ipmi",
    "address": "192.0.2.1",
    "user": "ha",
    "password": {"env": "BOARD"},
}
DEFAULTS: Final[dict[str, Any]] = {
    "version": 1,
    "site": "test",
    "domain": "example.org",
    "user": "ha",
    "state_directory": "/var/spool/ha",
    "controllers": {"bibe": "even", "bussolo": "odd"},
    "recovery": {
        "steps": {"reboot": 1, "restart": 1, "reinstall": 1},
        "waits": {"reboot": 200, "restart": 200, "reinstall": 600},
        "history": 3600,
        "limit": {"restarts": 5, "within": 3600},
    },
    "monitors": {
        "cluster": "test",
        "poll_interval": 15,
        "gmetad": [{"host": "bibe", "port": 8651}],
        "collectors": [{"host": "bibe", "port": 8649}, {"host": "bussolo", "port": 8649}],
    },
    "tftp_servers": [{"host": "bibe", "root": "/srv/tftp"}],
}
"""The site of which a brief one tells the differences."""
HOST: Final = {"maxl": 10, "cpus": 8, "memory": 16 * _GIB, "hypervisor": "libvirt"}
VM: Final = {"cpus": 1, "memory": _GIB}


def complete(brief: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a whole controller.yaml; what is wrong in it stays so, for its own schema."""
    found = _merged(DEFAULTS, brief)
    hosts, vms = brief.get("physical_hosts"), brief.get("virtual_machines")
    if isinstance(hosts, Mapping):
        found["physical_hosts"] = {name: _host(each) for name, each in _expanded(hosts)}
    if isinstance(vms, Mapping):
        found["virtual_machines"] = {
            name: _vm(each, found["recovery"], number)
            for number, (name, each) in enumerate(_expanded(vms))
        }
    return found


def names(text: str) -> list[str]:
    """`vm[1-3]` as vm1, vm2, vm3; other names as they are."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return [text]
    before, first, last, after = match.groups()
    if int(last) - int(first) >= _MOST:
        return [text]
    return [f"{before}{n:0{len(first)}d}{after}" for n in range(int(first), int(last) + 1)]


def _expanded(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, entry in entries.items():
        for name in names(str(key)):
            yield name, entry


def _merged(low: Any, high: Mapping[str, Any]) -> dict[str, Any]:
    """Both; where both have a mapping, merged too, but for names that somebody has chosen."""
    found = dict(low)
    for key, value in high.items():
        before = found.get(key)
        deep = isinstance(value, Mapping) and isinstance(before, Mapping) and key != "controllers"
        found[key] = _merged(before, value) if deep else value
    return found


def _host(entry: Any) -> Any:
    if entry is not None and not isinstance(entry, Mapping):
        return entry
    found = _sized(_merged(HOST, entry or {}))
    if found.get("power") is True:
        found["power"] = _BOARD
    return found


def _vm(entry: Any, recovery: Any, number: int) -> Any:
    if entry is not None and not isinstance(entry, Mapping):
        return entry
    link = f"C0A8{number >> 8 & 255:02X}{number & 255:02X}"
    boot = {"boot": {"links": [link], "declared": "local", "install": "sl4"}}
    found = _sized(_merged(_merged(VM, boot), entry or {}))
    if isinstance(found.get("recovery"), Mapping) and isinstance(recovery, Mapping):
        found["recovery"] = _merged(recovery, found["recovery"])
    return found


def _sized(entry: dict[str, Any]) -> dict[str, Any]:
    for key in ("memory", "disk"):
        match = _SIZE.fullmatch(str(entry.get(key)))
        if match:
            entry[key] = int(match[1]) * _UNITS[match[2]]
    return entry
