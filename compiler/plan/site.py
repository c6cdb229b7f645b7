"""What changes for volumes, networks, profiles and the site's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from threerc.compiler.model import Site
from threerc.compiler.plan.change import Change, Risk
from threerc.compiler.plan.hosts import shown, size
from threerc.compiler.plan.snapshot import MIDDLEWARE, NETWORK, PROFILE, SETTING, VOLUME

Noun = dict[str, Any]
_PLACES: Final[dict[str, tuple[tuple[str, ...], Risk]]] = {
    NETWORK: (("DHCP subnet", "reverse zone", "boot files"), Risk.RESTARTS),
    PROFILE: (("boot file", "installer", "HINFO"), Risk.HARMLESS),
    MIDDLEWARE: (("installer",), Risk.HARMLESS),
}
_WORDS: Final = {NETWORK: "network", PROFILE: "OS profile", MIDDLEWARE: "middleware"}
_UNKNOWN: Final[tuple[tuple[str, ...], Risk]] = ((), Risk.RESTARTS)
"""What another version of 3RC knew, or will know."""
_SETTINGS: Final[dict[str, tuple[tuple[str, ...], Risk]]] = {
    "dhcp": (("DHCP options",), Risk.RESTARTS),
    "dns": (("DNS",), Risk.HARMLESS),
    "domain": (("DHCP options", "DNS", "hosts"), Risk.RESTARTS),
    "monitoring": (("gmond", "gmetad", "controllers"), Risk.RESTARTS),
    "provisioning": (("DHCP", "TFTP", "install server"), Risk.RESTARTS),
    "drbd": (("DRBD",), Risk.TOUCHES_VM),
    "recovery": (("controllers", "cron"), Risk.HARMLESS),
    "updates": (("cron",), Risk.HARMLESS),
    "administrators": (("installer",), Risk.HARMLESS),
    "root_password": (("installer",), Risk.HARMLESS),
    "cabling": ((), Risk.HARMLESS),
    "timezone": (("installer", "controllers"), Risk.HARMLESS),
    "site": (("comments", "controllers"), Risk.RESTARTS),
    "description": (("comments",), Risk.RESTARTS),
}


def noun_changes(kind: str, name: str, old: Noun | None, new: Noun | None) -> list[Change]:
    """The changes of anything but a host; without `old` it is new, without `new` it is gone."""
    if kind == VOLUME:
        return list(_volume(name, old, new))
    if kind == SETTING:
        return [_setting(name, old, new)]
    where, risk = _PLACES.get(kind, _UNKNOWN)
    subject = f"{_WORDS.get(kind, kind)} {name}"
    if old is None:
        return [Change(subject, "new", risk, where)]
    if new is None:
        return [Change(subject, "gone", risk, where)]
    return [Change(subject, _fields(old, new), risk, where)]


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = dict.fromkeys((*old, *new))
    changed = (key for key in keys if old.get(key) != new.get(key))
    return ", ".join(f"{key} {_value(key, old)} -> {_value(key, new)}" for key in changed)


def _value(key: str, noun: Mapping[str, Any]) -> str:
    """A pool has its two ends."""
    value = noun.get(key)
    return "-".join(value) if key == "pool" and value else shown(value)


def _setting(name: str, old: Any, new: Any) -> Change:
    where, risk = _SETTINGS.get(name, _UNKNOWN)
    default = Site.model_fields[name].default if name in Site.model_fields else None
    if isinstance(old, dict) or isinstance(new, dict):
        what = _fields(old or {}, new or {})
    else:
        usual = default if isinstance(default, str | int) else None
        what = f"{shown(usual if old is None else old)} -> {shown(usual if new is None else new)}"
    return Change(f"setting {name}", what, risk, where)


def _volume(name: str, old: Noun | None, new: Noun | None) -> Iterator[Change]:
    subject = f"volume {name}"
    if old is None and new is not None:
        peers = "/".join(new["peers"])
        numbers = f"minor {new.get('minor')}, port {new.get('port')}"
        what = f"new DRBD volume on {peers}: {numbers}, {size(new['size'])}"
        yield Change(subject, what, Risk.RESTARTS, ("DRBD",), "", tuple(new["peers"]))
    elif new is None and old is not None:
        what = f"DRBD volume on {'/'.join(old['peers'])} is gone"
        note = "its configuration is removed, its data are not"
        yield Change(subject, what, Risk.LOSES_DATA, ("DRBD",), note, tuple(old["peers"]))
    elif old is not None and new is not None:
        yield from _volume_changes(subject, old, new)


def _volume_changes(subject: str, old: Noun, new: Noun) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        told = size if key == "size" else shown
        what = f"{key} {told(before)} -> {told(after)}"
        shrunk = key == "size" and new["size"] < old["size"]
        risk = Risk.LOSES_DATA if shrunk or key in _MOVED else Risk.TOUCHES_VM
        risk = Risk.RESTARTS if key == "nfs" else risk
        where = ("NFS exports",) if key == "nfs" else ("DRBD",)
        hosts = tuple(dict.fromkeys((*old["peers"], *new["peers"])))
        yield Change(subject, what, risk, where, "", hosts)


_MOVED: Final = frozenset({"peers", "disk"})
"""Where the data are: at another place there are none, or others."""
