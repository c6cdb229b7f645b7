"""Whether a DHCP, TFTP or DNS server answers what its compiled files say, asked as its clients ask.

    python -m threerc.testbed.answers dns|dhcp|tftp PATH

Run in the server's capsule; PATH is what the compiled files are at. Each line is a complaint.
Sources: RFC 1035 (4.1), RFC 2131 (2), RFC 2132 (9.5).
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from threerc.rollout.agent import asking
from threerc.runtime.bootlinks import BootLinks

_FEW: Final = 10
"""So many hosts are looked at: where the files are wrong, they are for all."""
_ORIGIN: Final = re.compile(r"^\$ORIGIN (\S+)\.$", re.MULTILINE)
_SERIAL: Final = re.compile(r"^\s*(\d+)\s*; serial$", re.MULTILINE)
_RECORD: Final = re.compile(r"^([\w-]\S*)\s+(A|AAAA|HINFO|PTR)\s+(\S.*)$", re.MULTILINE)
_HOST: Final = re.compile(
    r'hardware ethernet ([0-9A-Fa-f:]{17}); fixed-address ([0-9.]+);|"hw-address": "'
    r'([0-9a-f:]{17})",\s*"ip-address": "([0-9.]+)"'
)
_BOOTS: Final = re.compile(r'(?:filename |"boot-file-name": )"([^"]+)"')
_TYPES: Final = {"A": 1, "PTR": 12, "HINFO": 13, "AAAA": 28}
_BOOT_FILE, _END, _PAD = 67, 255, 0
_LARGE: Final = 1 << 17
"""Bytes: what is larger comes in as many blocks, and takes its time."""


def dns(path: Path) -> Iterator[str]:
    """Of each zone in the folder of named.conf: its serial, and what it says of a few hosts."""
    zones: dict[str, list[str]] = {}
    for file in sorted(path.parent.glob("db.*")):
        text = file.read_text(encoding="utf-8", errors="replace")
        origin = _ORIGIN.search(text)
        if origin is not None:
            zones.setdefault(origin[1], []).append(text)
    for zone, views in zones.items():
        serials = {int(each) for view in views for each in _SERIAL.findall(view)}
        now = asking.serial(zone)
        if now is None:
            yield f"DNS does not answer for {zone}"
        elif now not in serials:
            yield f"DNS has serial {now} of {zone}, not {max(serials)}"
        if now is not None and not views[1:]:  # of several views we are told one
            yield from _records(zone, views[0])


def _records(zone: str, text: str) -> Iterator[str]:
    for name, kind, value in islice(_RECORD.findall(text), 2 * _FEW):
        if name != "@" and _data(kind, value) not in _ask(f"{name}.{zone}", kind):
            yield f"DNS does not say that {name} is {value}"


def _data(kind: str, value: str) -> bytes:
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "PTR":  # of a name in another zone, which nothing before it could shorten
        return _labels(value.rstrip("."))
    words = [word.encode() for word in re.findall(r'"([^"]*)"', value)]
    return b"".join(bytes([len(word)]) + word for word in words)


def _ask(name: str, kind: str) -> bytes:
    """All that named answers; nothing where it does not."""
    question = _labels(name) + struct.pack(">HH", _TYPES[kind], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker, suppress(OSError):
        asker.settimeout(asking.SECONDS)
        head = os.urandom(2) + struct.pack(">5H", 0, 1, 0, 0, 0)
        asker.sendto(head + question, ("127.0.0.1", 53))
        return asker.recv(65535)[len(head + question) :]
    return b""


def _labels(name: str) -> bytes:
    return b"".join(bytes([len(each)]) + each.encode() for each in name.split(".")) + b"\0"


def dhcp(path: Path) -> Iterator[str]:
    """Of the hosts that it has reservations for: the address, and what to boot."""
    text = path.read_text(encoding="utf-8")
    hosts = [(mac or kea, address or other) for mac, address, kea, other in _HOST.findall(text)]
    boots = {each.encode() for each in _BOOTS.findall(text)}
    for mac, address in islice(((m, a) for m, a in hosts if asking.is_near(a)), _FEW):
        message = next(asking.offers(mac, address), None)
        if message is None:
            yield f"DHCP offers {mac} nothing"
            return
        told = socket.inet_ntoa(message[16:20])
        if told != address:
            yield f"DHCP offers {mac} {told}, not {address}"
        file = _boot_file(message)
        if boots and not file:
            yield f"DHCP tells {mac} no file to boot"
        elif file and file not in boots:
            yield f"DHCP tells {mac} to boot {file.decode(errors='replace')}, which no file says"


def _boot_file(message: bytes) -> bytes:
    """What a DHCP message says that is to be booted: in its own field, or as an option."""
    own, at = message[108:236].rstrip(b"\0"), 240
    while not own and at + 1 < len(message) and message[at] != _END:
        if message[at] == _PAD:
            at += 1
            continue
        size = message[at + 1]
        if message[at] == _BOOT_FILE:
            return message[at + 2 : at + 2 + size].rstrip(b"\0")
        at += 2 + size
    return own


def tftp(_path: Path) -> Iterator[str]:
    """Boot links and boot loaders: what it gives is what is on the disk."""
    links = BootLinks.load(Path("/"))
    root = links.folder.parent
    names = [each.link for hosts in links.hosts.values() for each in hosts]
    files = [links.folder / name for name in names[:_FEW]]
    files += [file for file in sorted(root.iterdir()) if file.is_file()]
    for file in files:
        name = file.relative_to(root)
        if not file.exists() or file.stat().st_size > _LARGE:
            continue
        given = asking.fetch(str(name))
        if given is None:
            yield f"TFTP gives no {name}"
        elif given != file.read_bytes():
            yield f"TFTP gives another {name} than there is"


ROLES: Final[dict[str, Callable[[Path], Iterator[str]]]] = {"dns": dns, "dhcp": dhcp, "tftp": tftp}


if __name__ == "__main__":
    for complaint in ROLES[sys.argv[1]](Path(sys.argv[2])):
        print(complaint)  # noqa: T201
