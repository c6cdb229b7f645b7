"""Whether the daemons of a host serve what is in their new files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable

from threerc.compiler.services import Service
from threerc.rollout.agent import asking
from threerc.rollout.agent.disk import Disk, Entries, beside
from threerc.rollout.agent.programs import runs

Complaint = str
_BOOT_TABLE = "/etc/3rc/boot.hosts"
_ZONE = re.compile(r"^\$ORIGIN (\S+)\.\n.*?^\s*(\d+)\s*; serial", re.MULTILINE | re.DOTALL)
_HOST = re.compile(r"hardware ethernet ([0-9A-Fa-f:]{17}); fixed-address ([0-9.]+);")
_KEA_HOST = re.compile(r'"hw-address": "([0-9a-f:]{17})",\s*"ip-address": "([0-9.]+)"')
_SOURCE = re.compile(r'^data_source "([^"]*)"', re.MULTILINE)
_ACCEPT = re.compile(r"^tcp_accept_channel \{[^}]*?\bport = (\d+)", re.MULTILINE)
_FEW = 200
"""Reservations that are looked at for one that is on a network of this host."""
GMETAD_PORT = 8651


class Health:
    """The daemons of one host, asked for what is in its files."""

    def __init__(self, disk: Disk, entries: Entries) -> None:
        self._disk = disk
        self._entries = entries
        self._by_service: dict[str, Callable[[], Complaint]] = {
            "named": self._named,
            "dhcpd": self._dhcp,
            "kea-dhcp4": self._dhcp,
            "gmond": self._gmond,
            "gmetad": self._gmetad,
        }

    def complaints(self, services: Iterable[Service], seconds: float) -> list[Complaint]:
        """What is still wrong with these after so many seconds."""
        questions = [self._by_service[s.name] for s in services if s.name in self._by_service]
        end = time.monotonic() + seconds
        found = [question() for question in questions]
        while any(found) and time.monotonic() < end:
            time.sleep(0.2)
            found = [question() for question in questions]
        return [each for each in found if each]

    def _files(self, pattern: str) -> Iterable[str]:
        """Where the files are, of those that are there already."""
        for path, entry in self._entries.items():
            if "sha256" in entry and re.search(pattern, path):
                file = self._disk.at(path)
                if os.path.exists(file):
                    yield file

    def _texts(self, pattern: str) -> Iterable[str]:
        return map(_read, self._files(pattern))

    def _named(self) -> Complaint:
        """A zone has one file for each view; one of its serials is what this host is told."""
        wanted: dict[str, set[int]] = {}
        for text in self._texts(r"/db\.[^/]+$"):
            zone = _ZONE.search(text)
            if zone is not None:
                wanted.setdefault(zone[1], set()).add(int(zone[2]))
        for name, serials in wanted.items():
            now = asking.serial(name)
            if now is None:
                return f"named does not answer for {name}"
            if now not in serials:
                return f"named answers for {name} with serial {now}, not {min(serials)}"
        return ""

    def _dhcp(self) -> Complaint:
        """A reserved address on a network that this host is on is offered: a new one, if any."""
        for file in self._files(r"/dhcpd\.conf$|/kea-dhcp4\.conf$"):
            for mac, address in _to_ask_for(file):
                answer = asking.offer(mac, address)
                if answer is not None:
                    return "" if answer else f"no DHCP server here offers {address} to {mac}"
        return "" if runs("dhcpd") or runs("kea-dhcp4") else "no DHCP server runs"

    def _gmond(self) -> Complaint:
        """It runs, and answers if it is one that others ask: else it may be just about to die."""
        for text in self._texts("^/etc/ganglia/gmond\\.conf$"):
            port = _ACCEPT.search(text)
            if port and asking.read_xml(int(port[1])) is None:
                return "gmond does not answer"
        return "" if runs("gmond") else "gmond does not run"

    def _gmetad(self) -> Complaint:
        """It has polled: its XML, to the end, has the clusters of its sources."""
        said = asking.read_xml(GMETAD_PORT)
        if said is None or not said.rstrip().endswith(b"</GANGLIA_XML>"):
            return "gmetad does not answer"
        for text in self._texts(r"/gmetad\.conf$"):
            for source in _SOURCE.finditer(text):
                if f'"{source[1]}"'.encode() not in said:
                    return f"gmetad has not polled {source[1]}"
        return ""

    def boot_link(self) -> bool | None:
        """Whether TFTP gives what the first boot link points to; None without any link."""
        for text in self._texts(f"^{_BOOT_TABLE}$"):
            folder, link = _first_link(text)
            if link:
                with open(self._disk.at(f"{folder}/{link}"), "rb") as stream:
                    content = stream.read()
                name = folder.rpartition("/")[2]
                return content in (asking.fetch(f"{name}/{link}"), asking.fetch(f"{folder}/{link}"))
        return None


def _to_ask_for(file: str) -> list[tuple[str, str]]:
    """A few MACs and their addresses, those first that the file had not before the switch."""
    old, hosts = beside(file, "old"), _reservations(file)
    known = set(_reservations(old)) if os.path.exists(old) else set()
    return [host for host in hosts if host not in known][:_FEW] + hosts[:_FEW]


def _reservations(file: str) -> list[tuple[str, str]]:
    text = _read(file)
    return [*_HOST.findall(text), *_KEA_HOST.findall(text)]


def _first_link(table: str) -> tuple[str, str]:
    """The folder of a boot table, and the first of its links."""
    folder = link = ""
    for line in table.splitlines():
        words = line.split()
        if words[:1] == ["FOLDER"]:
            folder = words[1]
        elif words and words[0] != "#" and not link:
            link = words[1]
    return folder, link


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()
