"""ISC's dhcpd.conf into facts: subnets, hosts, and the settings that each of them inherits.

Source: dhcpd.conf(5), dhcp-options(5), dhcp-eval(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path

from threerc.compiler.findings import Place, ThreeRcError
from threerc.compiler.importing.facts import IPXE, LOADERS, Facts, Reservation, Settings, Subnet
from threerc.compiler.importing.readers.dhcpd_syntax import Statement, parse, unquoted
from threerc.compiler.importing.readers.text import mac_of, read_text

_LISTED = {"allow", "deny", "ignore", "supersede", "append", "prepend", "default", "send"}
"""Statements that may stand several times, for different things."""
_SECRET = {"key", "zone", "omapi-key"}
_ACTIONS = {"subclass", "log", "execute"}
"""What is done, or belongs to a class: nothing that a host is told."""
_OWN = {
    "authoritative",
    "ddns-update-style none",
    "option space ipxe",
    "option ipxe-encap-opts code 175 = encapsulate ipxe",
    "option ipxe.no-pxedhcp code 176 = unsigned integer 8",
    "option ipxe.no-pxedhcp 1",
    "option client-architecture code 93 = unsigned integer 16",
}
"""What 3RC writes at the top of each dhcpd.conf itself."""
_OWN_POOL = {"deny known-clients", "deny dynamic bootp clients"}
_PEERS = ("address ", "peer address ")
_OWN_FAILOVER = {
    *("primary", "secondary", "port 647", "peer port 647", "max-response-delay 60"),
    *("max-unacked-updates 10", "load balance max seconds 3", "mclt 3600", "split 128"),
}
_ARCHITECTURE = "client-architecture"
_DEFINITION = re.compile(r"option \S+ code |option space ")
_NAME = re.compile(r"(?:[Nn]etwork )?([A-Za-z][A-Za-z0-9._+-]{0,62})(?:, VLAN ([0-9]{1,4}))?")
_MOST_INCLUDES = 20


@dataclass
class _Scope:
    """Where a statement stands: what it inherits, and the subnet or pool around it."""

    settings: Settings = field(default_factory=dict)
    top: bool = False
    subnet: Subnet | None = None
    pool: bool = False
    group: bool = False
    shared: str = ""

    def inner(self) -> _Scope:
        """A scope inside this one; what is at the top is inherited by all, and kept apart."""
        known = {} if self.top else dict(self.settings)
        return _Scope(known, subnet=self.subnet, group=self.group, shared=self.shared)


def read(path: Path, facts: Facts) -> None:
    """Add what a dhcpd.conf and the files that it includes say. Raises ThreeRcError."""
    facts.dhcp = True
    _Reader(facts).file(path, _Scope(facts.settings, top=True))


def key_of(words: list[str]) -> str:
    """What a statement sets: its first word, or the first two where several may stand."""
    if words[0] in _LISTED:
        return " ".join(words)
    return " ".join(words[:2]) if words[0] == "option" and len(words) > 1 else words[0]


class _Reader:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._path = Path()
        self._depth = 0

    def file(self, path: Path, scope: _Scope) -> None:
        self.text(read_text(path), path, scope)

    def text(self, text: str, path: Path, scope: _Scope) -> None:
        before, self._path = self._path, path
        parsed = parse(text)
        if fatal := [each for each in parsed.troubles if each.fatal]:
            raise ThreeRcError("\n".join(f"{path}:{each.line}: {each.reason}" for each in fatal))
        for trouble in parsed.troubles:
            self.facts.lose(Place(str(path), trouble.line, 1), trouble.reason, trouble.text)
        self._all(parsed.statements, scope)
        self._path = before

    def _all(self, statements: list[Statement], scope: _Scope) -> None:
        """Settings first: they hold for their whole scope, wherever they stand in it."""
        for statement in statements:
            if statement.block is None and statement.words[0] != "include":
                self._setting(statement, scope)
        for statement in statements:
            if statement.block is not None:
                self._block(statement, statement.block, scope)
            elif statement.words[0] == "include":
                self._include(statement, scope)

    def _place(self, statement: Statement) -> Place:
        return Place(str(self._path), statement.line, 1)

    def _lose(self, statement: Statement, reason: str) -> None:
        secret = statement.words[:1] and statement.words[0] in _SECRET
        self.facts.lose(self._place(statement), reason, "" if secret else statement.text)

    def _include(self, statement: Statement, scope: _Scope) -> None:
        wanted = Path(unquoted(statement.words[-1]))
        beside = self._path.parent
        tries = [beside / wanted.name, beside / wanted]
        parts = wanted.parts
        tries += [beside.joinpath(*parts[at:]) for at in range(1, len(parts))]
        found = next((each for each in tries if each.is_file()), None)
        if found is None or self._depth >= _MOST_INCLUDES:
            self._lose(statement, "the included file is not beside this one")
            return
        self._depth += 1
        self.file(found, scope)
        self._depth -= 1

    def _block(self, statement: Statement, block: list[Statement], scope: _Scope) -> None:
        inner = scope.inner()
        match [*statement.words[:1], len(statement.words)]:
            case ["subnet", 4]:
                self._subnet(statement, block, inner, f"{statement.words[1]}/{statement.words[3]}")
            case ["subnet6", 2]:
                self._subnet(statement, block, inner, statement.words[1])
            case ["shared-network", 2]:
                inner.shared = unquoted(statement.words[1])
                self._all(block, inner)
            case ["group", _]:
                inner.group = True
                self._all(block, inner)
            case ["pool", 1] if scope.subnet is not None or scope.shared:
                inner.pool = True
                self._all(block, inner)
            case ["failover", 3] if scope.top:
                self._failover(statement, block)
            case ["host", 2]:
                self._host(statement, block, inner)
            case ["if" | "elsif", _] if _ARCHITECTURE in statement.words:
                self.facts.own.add(LOADERS)  # as 3RC writes it itself
            case _:
                what = statement.words[0] if statement.words else "block"
                self._lose(statement, f"site.yaml has nothing for `{what}` of dhcpd.conf")

    def _subnet(
        self, statement: Statement, block: list[Statement], scope: _Scope, prefix: str
    ) -> None:
        try:
            found: IPv4Network | IPv6Network = ip_network(prefix)
        except ValueError as error:
            self._lose(statement, str(error))
            return
        subnet = Subnet(found, self._place(statement), scope.settings, name=scope.shared)
        match = _NAME.fullmatch(statement.above) or _NAME.fullmatch(statement.comment)
        if match:
            subnet.name = match[1]
            subnet.vlan = int(match[2]) if match[2] else None
        self.facts.subnets.append(subnet)
        scope.subnet = subnet
        self._all(block, scope)

    def _failover(self, statement: Statement, block: list[Statement]) -> None:
        """The two servers; what else they agree on is 3RC's own choice."""
        said = {each.head for each in block}
        addresses = [next((t.split()[-1] for t in said if t.startswith(k)), "") for k in _PEERS]
        first, second = addresses if "primary" in said else addresses[::-1]
        self.facts.servers = [each for each in (first, second) if each]
        if more := sorted(each for each in said - _OWN_FAILOVER if not each.startswith(_PEERS)):
            self._lose(statement, f"a failover pair has 3RC's own settings: {'; '.join(more)}")

    def _host(self, statement: Statement, block: list[Statement], scope: _Scope) -> None:
        mac = ""
        addresses: tuple[str, ...] = ()
        for each in block:
            match each.words:
                case ["hardware", _, text]:
                    mac = mac_of(text) or ""
                case ["fixed-address" | "fixed-address6", *rest]:
                    addresses = tuple(word for word in rest if word != ",")
                case _ if each.block is not None:
                    self._lose(each, "site.yaml has nothing for a block within a host")
                case _:
                    self._setting(each, scope)
        place = self._place(statement)
        if not mac:
            self._lose(statement, "a host is known by the MAC of an Ethernet interface only")
        elif not addresses:
            self._lose(statement, "a host of site.yaml has a fixed address")
        else:
            name = unquoted(statement.words[1])
            found = Reservation(name, mac, addresses, place, scope.settings, statement.comment)
            self.facts.reservations.append(found)

    def _setting(self, statement: Statement, scope: _Scope) -> None:
        words = statement.words
        head = statement.head
        if reason := _no_setting(words, scope):
            self._lose(statement, reason)
        elif words[0] in {"range", "range6"}:
            self._range(statement, scope)
        elif scope.pool:
            if head not in _OWN_POOL and words[0] != "failover":
                self._lose(statement, "a pool of site.yaml has no settings of its own")
        elif scope.top and head in _OWN:
            self.facts.authoritative |= head == "authoritative"
            if head == "option ipxe.no-pxedhcp 1":
                self.facts.own.add(IPXE)
        elif _DEFINITION.match(head) and scope.top:
            self.facts.definitions.append(head)
        else:
            key = key_of(words)
            if scope.top and head == "not authoritative":
                self.facts.authoritative = False
            scope.settings.pop(key, None)
            scope.settings[key] = head[len(key) :].strip()

    def _range(self, statement: Statement, scope: _Scope) -> None:
        words = [word for word in statement.words[1:] if word != "dynamic-bootp"]
        try:
            ends = [IPv4Address(word) for word in words]
        except ValueError:
            self._lose(statement, "site.yaml has pools of IPv4 addresses only")
            return
        subnet = scope.subnet or next(
            (each for each in self.facts.subnets if ends and ends[0] in each.prefix), None
        )
        if subnet is None or not ends:
            self._lose(statement, "the range is in no subnet")
            return
        subnet.pools.append((ends[0], ends[-1], self._place(statement)))


def _no_setting(words: list[str], scope: _Scope) -> str:
    """Why site.yaml cannot take a statement, if so."""
    if any("{{" in word for word in words):
        return "templating is left in the file"
    first = words[0].partition("(")[0]
    if first in _SECRET | _ACTIONS:
        return f"site.yaml has nothing for `{first}` of dhcpd.conf"
    if scope.group and words[-1] == "authoritative":
        return "a server or a network is authoritative, no group of hosts"
    return ""
