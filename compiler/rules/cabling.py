"""Cabling and power: single points of failure, where the site tells its cables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from threerc.compiler.model import KINDS
from threerc.compiler.rules.base import Facts, Problem, listed, rule
from threerc.compiler.rules.plant import Bundle

_TOLD_ONE_BY_ONE = 3
_Loss = tuple[str, list[Bundle]]


@rule(
    "single-switch",
    reason="A switch whose loss cuts hosts off from the site's services is a single point of "
    "failure.",
    hint="cable the hosts to a second switch, or give the switch a second uplink",
    severity="warning",
    needs=(*KINDS, "cabling"),
)
def single_switch(facts: Facts) -> Iterator[Problem]:
    """No single switch takes hosts with it."""
    switches = facts.site.cabling.switches
    if switches:
        plant = facts.plant
        losses = ((name, plant.without_switch(name)) for name in switches)
        yield from _told(facts, losses, "switches", "switch", "switches")


@rule(
    "single-feed",
    reason="A PDU or UPS circuit whose loss takes hosts, by their power or by their switches', "
    "is a single point of failure.",
    hint="feed the hosts and their switches from a second PDU on another UPS circuit",
    severity="warning",
    needs=(*KINDS, "cabling"),
)
def single_feed(facts: Facts) -> Iterator[Problem]:
    """No single PDU or UPS circuit takes hosts with it."""
    cabling = facts.site.cabling
    if cabling.pdus:
        plant = facts.plant
        losses = ((name, plant.without_pdus(frozenset({name}))) for name in cabling.pdus)
        yield from _told(facts, losses, "pdus", "PDU", "PDUs")
        losses = ((name, plant.without_ups(name)) for name in cabling.ups)
        yield from _told(facts, losses, "ups", "UPS circuit", "UPS circuits")


def _told(
    facts: Facts, losses: Iterable[_Loss], section: str, what: str, plural: str
) -> Iterator[Problem]:
    """A problem for each loss, but one for many that take worker nodes alone.

    A site has more worker nodes, and does not want a warning for each of its racks.
    """
    minor: list[_Loss] = []
    for name, bundles in losses:
        if bundles and all(bundle.kind == "worker_nodes" for bundle in bundles):
            minor.append((name, bundles))
        elif bundles:
            message = f"{what} {name}: its loss takes {_who(facts, bundles)}"
            yield Problem(("cabling", section, name), message, key=True)
    more = len(minor) - 1 if len(minor) > _TOLD_ONE_BY_ONE else 0
    for name, bundles in minor[:1] if more else minor:
        message = f"{what} {name}: its loss takes {_who(facts, bundles)}"
        if more:
            message += f"; {more:,} more {plural} each take worker nodes alone"
        yield Problem(("cabling", section, name), message, key=True)


def _who(facts: Facts, bundles: list[Bundle]) -> str:
    """`alfa01, alfa02 and every VM on them`."""
    count = sum(len(bundle.hosts) for bundle in bundles)
    first = islice((name for bundle in bundles for name in bundle.hosts), 4)
    names = listed(first, count)
    if not any(name in facts.residents for bundle in bundles for name in bundle.hosts):
        return names
    them = "them" if count > 1 else "it"
    return f"{names}{', with' if ' and ' in names else ' and'} every VM on {them}"


RULES = (single_switch, single_feed)
