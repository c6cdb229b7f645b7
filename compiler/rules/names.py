"""Names: hosts, aliases and interfaces share one name space, DNS's, which knows no case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from threerc.compiler.model import Host
from threerc.compiler.rules.base import Facts, Problem, path_of, rule

_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]+")
_LONGEST = 253
_LONGEST_LABEL = 63


class _Name(NamedTuple):
    """A name of a host: its own, of an interface (its name), or an alias (its position)."""

    text: str
    host: Host
    of: str | int | None

    def __str__(self) -> str:
        match self.of:
            case None:
                return f"host `{self.text}`"
            case str():
                return f"interface `{self.text}` of {self.host.name}"
            case int():
                return f"alias `{self.text}` of {self.host.name}"

    def problem(self, message: str) -> Problem:
        """What is wrong with it, at its place."""
        match self.of:
            case None:
                return Problem(path_of(self.host), f"{self} {message}", key=True)
            case str():
                path = path_of(self.host, "interfaces", self.of)
                return Problem(path, f"{self} {message}", key=True)
            case int():
                return Problem(path_of(self.host, "aliases", self.of), f"{self} {message}")


def _names(facts: Facts) -> Iterator[_Name]:
    """The site's names and what they are of; rules ask `facts.names` first, which is quicker.

    The hosts' own come first, so that of two that are equal it is the other that is told.
    """
    hosts = facts.site.hosts.values()
    for host in hosts:
        yield _Name(host.name, host, None)
    for host in facts.site.where(lambda each: each.interfaces):
        for interface in host.interfaces:
            yield _Name(f"{host.name}-{interface}", host, interface)
    for host in facts.site.where(lambda each: each.aliases):
        for position, alias in enumerate(host.aliases):
            yield _Name(alias, host, position)


@rule(
    "unique-name",
    reason="Host names, aliases and interface names (`bibe-eth1`) become names of one DNS zone, "
    "which does not tell upper from lower case.",
    hint="rename one of the two",
)
def unique_name(facts: Facts) -> Iterator[Problem]:
    """Each name stands for one thing."""
    if len({name.lower() for name in facts.names}) == len(facts.names):
        return
    seen: dict[str, _Name] = {}
    for name in _names(facts):
        first = seen.setdefault(name.text.lower(), name)
        if first is not name:
            yield name.problem(f"has the same name as {first}")


@rule(
    "name-length",
    reason="A DNS name has at most 253 characters, its domain included, and a label of it at "
    "most 63 (RFC 1035, 2.3.4).",
    hint="shorten the name or the domain",
)
def name_length(facts: Facts) -> Iterator[Problem]:
    """Every full name fits into DNS."""
    rest = len(facts.site.domain) + 1
    most = min(_LONGEST_LABEL, _LONGEST - rest)
    if max(map(len, facts.names), default=0) <= most:
        return
    for name in _names(facts):
        length = len(name.text)
        if length > most:
            yield name.problem(f"has {length} characters, {length + rest} with the domain")


@rule(
    "misleading-name",
    reason="`localhost` is every host's own name, and programs read a number such as `7` or "
    "`0x10` as an IPv4 address (inet_aton(3)): such a host is not reached by its name.",
    hint="choose a name that is no number, other than localhost",
)
def misleading_name(facts: Facts) -> Iterator[Problem]:
    """No name means something else to resolvers."""
    if not any(_misleads(name) for name in facts.names):
        return
    for name in _names(facts):
        if _misleads(name.text):
            yield name.problem("is not reached by that name")


def _misleads(name: str) -> bool:
    if name[0].isdigit():
        return _NUMBER.fullmatch(name) is not None
    return name.lower() == "localhost"


RULES = (unique_name, name_length, misleading_name)
