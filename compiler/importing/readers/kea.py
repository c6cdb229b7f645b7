"""Kea's JSON into facts, by way of what dhcpd.conf would say.

Kea's JSON has comments and lets a comma stand at the end. Source: Kea Administrator Reference
Manual ("The DHCPv4 Server", "JSON Configuration").
"""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from threerc.compiler.findings import Place, ThreeRcError
from threerc.compiler.importing.facts import IPXE, LOADERS, Facts, Reservation, Settings, Subnet
from threerc.compiler.importing.readers.text import mac_of, read_text

_PIECE = re.compile(r'("(?:[^"\\]|\\.)*")|(/\*.*?\*/|//[^\n]*|#[^\n]*)|(,)(?=\s*[}\]])', re.DOTALL)
_KNOWN = {
    *("id", "name", "comment", "user-context", "subnet", "subnet4", "shared-networks", "pools"),
    *("reservations", "option-data", "hw-address", "ip-address", "hostname", "authoritative"),
    *("valid-lifetime", "max-valid-lifetime", "next-server", "boot-file-name"),
}
_ARCHITECTURE = "option[93]"
_TEXT = {"domain-name", "root-path", "tftp-server-name", "boot-file-name", "host-name"}


def read(path: Path, facts: Facts) -> None:
    """Add the DHCPv4 server of a file. Raises ThreeRcError where it is no JSON of Kea."""
    text = read_text(path)
    try:
        data = json.loads(_plain(text))
    except json.JSONDecodeError as error:
        raise ThreeRcError(f"{path}:{error.lineno}: {error.msg}") from None
    server = data.get("Dhcp4") if isinstance(data, dict) else None
    if not isinstance(server, dict):
        raise ThreeRcError(f"{path}: there is no `Dhcp4` in it")
    facts.dhcp = True
    reader = _Reader(path, text, facts)
    reader.unknown({key: value for key, value in data.items() if key != "Dhcp4"})
    reader.server(server)


def _plain(text: str) -> str:
    """JSON without comments and last commas; lines and columns stay."""
    return _PIECE.sub(lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), text)


class _Reader:
    def __init__(self, path: Path, text: str, facts: Facts) -> None:
        self.path = path
        self.text = text
        self.facts = facts

    def server(self, server: dict[str, Any]) -> None:
        """Subnets, those of shared networks, and the reservations of all."""
        self.unknown(server)
        self.facts.authoritative |= server.get("authoritative") is True
        if "no-pxedhcp" in json.dumps(server.get("option-data", ())):
            self.facts.own.add(IPXE)
        if _ARCHITECTURE in json.dumps(server.get("client-classes", ())):
            self.facts.own.add(LOADERS)
        top = self._settings(server)
        for each in server.get("subnet4", ()):
            self._subnet(each, top, "")
        for shared in server.get("shared-networks", ()):
            self.unknown(shared)
            inner = {**top, **self._settings(shared)}
            for each in shared.get("subnet4", ()):
                self._subnet(each, inner, str(shared.get("name", "")))
        for each in server.get("reservations", ()):
            self._reservation(each)

    def _subnet(self, data: dict[str, Any], above: Settings, name: str) -> None:
        self.unknown(data)
        place = self._place(str(data.get("subnet", "")))
        try:
            prefix = IPv4Network(data["subnet"], strict=False)
        except (KeyError, ValueError) as error:
            self.facts.lose(place, f"no subnet: {error}", json.dumps(data))
            return
        context = data.get("user-context")
        told = context.get("name") if isinstance(context, dict) else None
        settings = {**above, **self._settings(data)}
        subnet = Subnet(prefix, place, settings, name=str(told or name))
        for pool in data.get("pools", ()):
            self._pool(pool, subnet)
        self.facts.subnets.append(subnet)
        for each in data.get("reservations", ()):
            self._reservation(each)

    def _pool(self, pool: dict[str, Any], subnet: Subnet) -> None:
        text = str(pool.get("pool", ""))
        place = self._place(text)
        try:
            if "/" in text:
                network = IPv4Network(text.replace(" ", ""))
                ends = network[0], network[-1]
            else:
                first, _, last = text.partition("-")
                ends = IPv4Address(first.strip()), IPv4Address(last.strip())
        except ValueError as error:
            self.facts.lose(place, str(error), text)
            return
        subnet.pools.append((*ends, place))
        if more := sorted(set(pool) - {"pool", "user-context", "comment"}):
            self.facts.lose(place, f"a pool of site.yaml has no {', '.join(more)}", text)

    def _reservation(self, data: dict[str, Any]) -> None:
        place = self._place(str(data.get("hw-address", data.get("ip-address", ""))))
        mac = mac_of(str(data.get("hw-address", "")))
        if mac is None or "ip-address" not in data:
            reason = "a host of site.yaml has a MAC and a fixed address"
            self.facts.lose(place, reason, json.dumps(data))
            return
        self.unknown(data)
        name = str(data.get("hostname", ""))
        settings = self._settings(data)
        if name:
            settings["use-host-decl-names"] = "on"
        address = (str(data["ip-address"]),)
        self.facts.reservations.append(Reservation(name, mac, address, place, settings))

    def _settings(self, data: dict[str, Any]) -> Settings:
        found: Settings = {}
        for option in data.get("option-data", ()):
            name = str(option.get("name", ""))
            value = str(option.get("data", ""))
            if (
                not name
                or option.get("csv-format") is False
                or option.get("space", "dhcp4") != "dhcp4"
            ):
                self.facts.lose(self._place(value), "an option without a name", json.dumps(option))
                continue
            text = name in _TEXT or name == "domain-search"
            found[f"option {name}"] = json.dumps(value) if text else value
        if "valid-lifetime" in data:
            found["default-lease-time"] = str(data["valid-lifetime"])
            found["max-lease-time"] = str(data.get("max-valid-lifetime", data["valid-lifetime"]))
        if data.get("next-server"):
            found["next-server"] = str(data["next-server"])
        if data.get("boot-file-name"):
            found["filename"] = json.dumps(str(data["boot-file-name"]))
        return found

    def unknown(self, data: dict[str, Any]) -> None:
        """Tell the keys that site.yaml has nothing for."""
        for key, value in data.items():
            if key not in _KNOWN:
                said = f"{key}: {json.dumps(value)}"
                text = "" if "password" in said else said
                self.facts.lose(self._place(f'"{key}"'), f"site.yaml has nothing for `{key}`", text)

    def _place(self, text: str) -> Place:
        """The first line that holds a text."""
        at = self.text.find(f'"{text}"')
        at = self.text.find(text) if at < 0 else at
        return Place(str(self.path), self.text.count("\n", 0, max(at, 0)) + 1, 1)
