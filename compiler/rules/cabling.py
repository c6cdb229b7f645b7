"""Cabling and power: single points of failure, where the site tells its cables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from threerc.compiler.model import Host, WorkerNode
from threerc.compiler.rules.base import Facts, Problem, listed, rule
from threerc.compiler.rules.plant import Plant

_TOLD_ONE_BY_ONE = 3
_Loss = tuple[str, list[Host]]


@rule(
    "single-switch",
    reason="A switch whose loss cuts hosts off from the site's services is a single point of "
    "failure.",
    hint="cable the hosts to a second switch, or give the switch a second uplink",
    severity="warning",
    conclusive=True,
)
def single_switch(facts: Facts) -> Iterator[Problem]:
    """No single switch takes hosts with it."""
    switches = facts.site.cabling.switches
    if switches:
        plant = Plant(facts.site)
        losses = ((name, plant.without_switches([name])) for name in switches)
        yield from _told(facts, losses, "switches", "switch", "switches")


@rule(
    "single-feed",
    reason="A PDU or UPS circuit whose loss takes hosts, by their power or by their switches', "
    "is a single point of failure.",
    hint="feed the hosts and their switches from a second PDU on another UPS circuit",
    severity="warning",
    conclusive=True,
)
def single_feed(facts: Facts) -> Iterator[Problem]:
    """No single PDU or UPS circuit takes hosts with it."""
    cabling = facts.site.cabling
    if cabling.pdus:
        plant = Plant(facts.site)
        losses = ((name, plant.without_pdus([name])) for name in cabling.pdus)
        yield from _told(facts, losses, "pdus", "PDU", "PDUs")
        losses = ((name, plant.without_pdus(plant.fed_only_by(name))) for name in cabling.ups)
        yield from _told(facts, losses, "ups", "UPS circuit", "UPS circuits")


def _told(
    facts: Facts, losses: Iterable[_Loss], section: str, what: str, plural: str
) -> Iterator[Problem]:
    """A problem for each loss, but one for many that take worker nodes alone: of those the site
    has more."""
    minor: list[_Loss] = []
    for name, hosts in losses:
        if hosts and all(isinstance(host, WorkerNode) for host in hosts):
            minor.append((name, hosts))
        elif hosts:
            message = f"{what} {name}: its loss takes {_who(facts, hosts)}"
            yield Problem(("cabling", section, name), message, key=True)
    alone = minor if len(minor) <= _TOLD_ONE_BY_ONE else minor[:1]
    for name, hosts in alone:
        message = f"{what} {name}: its loss takes {_who(facts, hosts)}"
        if len(minor) > len(alone):
            message += f"; {len(minor) - 1:,} more {plural} each take worker nodes alone"
        yield Problem(("cabling", section, name), message, key=True)


def _who(facts: Facts, hosts: list[Host]) -> str:
    """`alfa01, alfa02 and every VM on them`."""
    names = listed(host.name for host in hosts)
    vms = sum(len(facts.residents.get(host.name, ())) for host in hosts)
    if not vms:
        return names
    them = "them" if len(hosts) > 1 else "it"
    return f"{names}{', with' if ' and ' in names else ' and'} every VM on {them}"


RULES = (single_switch, single_feed)
