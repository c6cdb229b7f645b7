"""References of hosts: whatever a host names exists, and is of the kind that is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from threerc.compiler.model import Host
from threerc.compiler.model.host import BareMetal
from threerc.compiler.rules.base import Facts, Problem, of_hosts, path_of, rule


def unknown(
    facts: Facts, path: tuple[Any, ...], name: str, known: dict[str, Any], what: str
) -> Iterator[Problem]:
    """A problem if a name is not among the known ones."""
    message = facts.unknown(name, known, what)
    if message is not None:
        yield Problem(path, message)


def not_a(facts: Facts, path: tuple[Any, ...], name: str, section: str) -> Iterator[Problem]:
    """A problem if a name is not a host of that section."""
    message = facts.not_a(name, section)
    if message is not None:
        yield Problem(path, message)


@rule(
    "os-exists",
    reason="A host is installed by its OS profile, and HINFO names it.",
    hint="declare it under `os_profiles`, or correct the name",
)
@of_hosts
def os_exists(facts: Facts, host: Host) -> Iterator[Problem]:
    """Every host's OS profile is declared."""
    known = facts.site.os_profiles
    if host.os is not None:
        yield from unknown(facts, path_of(host, "os"), host.os, known, "OS profile")


@rule(
    "middleware-exists",
    reason="The post-install looks a host's middleware up by its name and runs its scripts.",
    hint="declare it under `middleware`, or correct the name",
)
def middleware_exists(facts: Facts) -> Iterator[Problem]:
    """Every middleware that a host has or another one requires is declared."""
    known = facts.site.middleware
    for host in facts.site.where(lambda each: each.middleware not in (None, *known)):
        path = path_of(host, "middleware")
        yield from unknown(facts, path, host.middleware or "", known, "middleware")
    for name, middleware in known.items():
        for position, required in enumerate(middleware.requires):
            path = ("middleware", name, "requires", position)
            yield from unknown(facts, path, required, known, "middleware")


@rule(
    "home-exists",
    reason="A virtual machine runs on physical hosts only.",
    hint="name a host of `physical_hosts`",
)
def home_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM's home is a physical host."""
    for vm in facts.site.virtual_machines.values():
        yield from not_a(facts, path_of(vm, "home"), vm.home, "physical_hosts")


@rule(
    "allowed-exists",
    reason="A virtual machine runs on physical hosts only.",
    hint="name hosts of `physical_hosts`",
)
def allowed_exists(facts: Facts) -> Iterator[Problem]:
    """Every host that a VM is allowed on is a physical host."""
    for vm in facts.site.virtual_machines.values():
        for position, name in enumerate(vm.allowed or ()):
            path = path_of(vm, "allowed", position)
            yield from not_a(facts, path, name, "physical_hosts")


@rule(
    "volume-exists",
    reason="A VM's disk is on its volume.",
    hint="declare it under `volumes`, or correct the name",
)
def volume_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM's volume is declared."""
    known = facts.site.volumes
    for vm in facts.site.virtual_machines.values():
        if vm.volume is not None:
            yield from unknown(facts, path_of(vm, "volume"), vm.volume, known, "volume")


@rule(
    "start-after-exists",
    reason="A VM that waits for one that never comes up is never started.",
    hint="name hosts of `virtual_machines`",
)
def start_after_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM to wait for is a VM."""
    for vm in facts.site.virtual_machines.values():
        for position, name in enumerate(vm.start_after):
            path = path_of(vm, "start_after", position)
            yield from not_a(facts, path, name, "virtual_machines")


@rule(
    "switch-exists",
    reason="Cables end at switches of the site.",
    hint="declare it under `cabling.switches`, or correct the name",
)
def switch_exists(facts: Facts) -> Iterator[Problem]:
    """Every switch that a host or another switch is cabled to is declared."""
    known = facts.site.cabling.switches
    yield from _of_iron(facts, "switches", known, "switch")
    for name, switch in known.items():
        for position, other in enumerate(switch.uplinks):
            path = ("cabling", "switches", name, "uplinks", position)
            yield from unknown(facts, path, other, known, "switch")


@rule(
    "pdu-exists",
    reason="Hosts and switches are fed by PDUs of the site.",
    hint="declare it under `cabling.pdus`, or correct the name",
)
def pdu_exists(facts: Facts) -> Iterator[Problem]:
    """Every PDU that feeds a host or switch is declared."""
    known = facts.site.cabling.pdus
    yield from _of_iron(facts, "pdus", known, "PDU")
    for name, switch in facts.site.cabling.switches.items():
        for position, pdu in enumerate(switch.pdus):
            path = ("cabling", "switches", name, "pdus", position)
            yield from unknown(facts, path, pdu, known, "PDU")


def _of_iron(facts: Facts, field: str, known: dict[str, Any], what: str) -> Iterator[Problem]:
    """What hosts name in a list; hosts that inherit it share the list's names."""

    def lacks(host: Host) -> bool:
        return isinstance(host, BareMetal) and not set(getattr(host, field)) <= known.keys()

    for host in facts.site.where(lacks):
        for position, name in enumerate(getattr(host, field)):
            yield from unknown(facts, path_of(host, field, position), name, known, what)


RULES = (
    os_exists,
    middleware_exists,
    home_exists,
    allowed_exists,
    volume_exists,
    start_after_exists,
    switch_exists,
    pdu_exists,
)
