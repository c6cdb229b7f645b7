"""A DHCP, TFTP or DNS server that lies: what it reads in place of its compiled files.

    python -m threerc.testbed.falsehoods DAEMON MODE|off PATH

Run in the server's capsule. It lays altered copies beside PATH, which the daemon is told in its
command, and prints where they are; `off` takes them away. The daemon is the real one, and the
compiled files stay as they are: controllers, operators and installers go on to change them, and the
daemon says otherwise.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from threerc.runtime.simulation.guests import EMPTY, NO_BOOT, STALE

MODES: Final = {
    "dhcpd": (STALE, NO_BOOT),
    "tftpd": (STALE, EMPTY),
    "named": (STALE, EMPTY),
}
"""The ways in which each daemon can lie, by the simulator's names."""
_LIE: Final = "lie"
_OFFSET: Final = 50
"""How far from where it is now a machine was in former times."""
_ADDRESS: Final = re.compile(r"\b\d+(?:\.\d+){3}\b")
_SERIAL: Final = re.compile(r"^(\s*)(\d+)(\s*; serial)$", re.MULTILINE)
_RECORD: Final = re.compile(r"^(\S+)(\s+)(A|AAAA|CNAME|HINFO|NS|PTR)(\s+)(\S.*)$")
_SUBNET: Final = re.compile(r'subnet (\S+) netmask (\S+)|"subnet": "([0-9.]+)/(\d+)"')
_RESERVED: Final = re.compile(r'(fixed-address |"ip-address": ")([0-9.]+)')
_BOOT: Final = re.compile(r"^ *(?:next-server|filename) [^;]*;\n", re.MULTILINE)
_KEA_BOOT: Final = re.compile(r'("boot-file-name": ")[^"]*')


# -- what is altered: pure


def zone(text: str, mode: str) -> str:
    """A zone file of former times, or without any host; its serial is lower than it was."""
    lines = text.splitlines()
    records = [found for found in map(_RECORD.match, lines) if found]
    servers = {found[5] for found in records if found[3] == "NS"}
    kinds = sorted({found[5] for found in records if found[3] == "HINFO"})
    others = dict(zip(kinds, [*kinds[1:], *kinds[:1]], strict=True)) if kinds[1:] else {}
    taken = set(_ADDRESS.findall(text))
    told = []
    for line in lines:
        found = _RECORD.match(line)
        if found is None or found[3] == "NS" or found[1] in servers:
            told.append(line)
        elif mode == STALE:
            told.append(line[: found.start(5)] + _formerly(found[3], found[5], taken, others))
    return _SERIAL.sub(_earlier, "\n".join(told) + "\n")


def _formerly(kind: str, value: str, taken: set[str], others: dict[str, str]) -> str:
    if kind == "A":
        return formerly(value, IPv4Network(f"{value}/24", strict=False), taken)
    if kind == "HINFO":
        return others.get(value, f'{value.split(maxsplit=1)[0]} "-"')
    return value


def _earlier(found: re.Match[str]) -> str:
    return f"{found[1]}{max(0, int(found[2]) - 1):<{len(found[2])}}{found[3]}"


def dhcp(text: str, mode: str) -> str:
    """A dhcpd.conf or kea-dhcp4.conf with the addresses of former times, or without boot files."""
    if mode == NO_BOOT:
        return _KEA_BOOT.sub(r"\1", _BOOT.sub("", text))
    networks = [
        IPv4Network(f"{address or kea}/{mask or length}")
        for address, mask, kea, length in _SUBNET.findall(text)
    ]
    return _RESERVED.sub(partial(_moved, networks, set(_ADDRESS.findall(text))), text)


def _moved(networks: Sequence[IPv4Network], taken: set[str], found: re.Match[str]) -> str:
    own = IPv4Address(found[2])
    return found[1] + next(
        (formerly(found[2], each, taken) for each in networks if own in each), found[2]
    )


def formerly(address: str, network: IPv4Network, taken: set[str]) -> str:
    """An address of the same network that nobody has, and nobody is given twice."""
    own = int(IPv4Address(address)) - int(network.network_address)
    for step in range(network.num_addresses):
        place = (own + _OFFSET + step) % network.num_addresses
        found = str(network[place])
        if 0 < place < network.num_addresses - 1 and found not in taken:
            taken.add(found)
            return found
    return address


# -- and where it is laid


def lay(daemon: str, mode: str, path: Path) -> Path:
    """Lay what a daemon is to read in place of a path; where that is. Raises OSError."""
    take_away(daemon, path)
    return _LAID[daemon](path, mode)


def take_away(daemon: str, path: Path) -> None:
    """Leave nothing of what `lay` has laid, if it has. Raises OSError."""
    copy = _copy(daemon, path)
    if copy.is_dir():
        shutil.rmtree(copy)
    else:
        copy.unlink(missing_ok=True)


def _copy(daemon: str, path: Path) -> Path:
    """Where its lies are: a folder, or dhcpd's one file."""
    return {
        "named": path.parent / _LIE,
        "dhcpd": path.with_name(f"{_LIE}-{path.name}"),
        "tftpd": path.with_name(f"{path.name}.{_LIE}"),
    }[daemon]


def _named(path: Path, mode: str) -> Path:
    """All of its folder, since its files name one another by their paths."""
    folder, copy = path.parent, _copy("named", path)
    shutil.copytree(folder, copy, symlinks=True, ignore=shutil.ignore_patterns(_LIE))
    for file in _files(copy):
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        if _SERIAL.search(text):
            altered = zone(text, mode)
        else:
            altered = text.replace(f'"{folder}/', f'"{copy}/')
        if altered != text:
            file.write_text(altered, encoding="utf-8", errors="surrogateescape")
    return copy / path.name


def _dhcpd(path: Path, mode: str) -> Path:
    copy = _copy("dhcpd", path)
    shutil.copy2(path, copy)
    copy.write_text(dhcp(path.read_text(encoding="utf-8"), mode), encoding="utf-8")
    return copy


def _tftpd(path: Path, mode: str) -> Path:
    """The tree as it is now, which is that of former times soon; or with nothing in its files."""
    copy = _copy("tftpd", path)
    shutil.copytree(path, copy, symlinks=True)
    for file in _files(copy) if mode == EMPTY else ():
        file.write_bytes(b"")
    return copy


_LAID: Final[dict[str, Callable[[Path, str], Path]]] = {
    "named": _named,
    "dhcpd": _dhcpd,
    "tftpd": _tftpd,
}


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


def main(daemon: str, mode: str, path: Path) -> None:
    """Lay them, and print where, or take them away."""
    if mode == "off":
        take_away(daemon, path)
    else:
        print(lay(daemon, mode, path))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
