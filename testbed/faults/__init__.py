"""All faults that the testbed can do, each by its name and the kind of what it strikes.

The names are the simulator's: the same scenario runs in both. Adding one is a line in one of the
tables here and, where the simulator has none of that name, one there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from threerc.testbed.events import Event, Kind
from threerc.testbed.faults.base import CONTROLLER, HOST, SITE, VM, Fault, Hands, Options
from threerc.testbed.faults.host import HOST_FAULTS
from threerc.testbed.faults.site import SERVICES, SITE_FAULTS, SWITCH
from threerc.testbed.faults.vm import VM_FAULTS

__all__ = [
    "CONTROLLER",
    "CRASHES",
    "FAULTS",
    "HOST",
    "NAMES",
    "SERVICES",
    "SITE",
    "SWITCH",
    "VM",
    "Fault",
    "Hands",
    "Options",
    "unhealed",
]

_ALL: Final = (*VM_FAULTS, *HOST_FAULTS, *SITE_FAULTS)
FAULTS: Final = {(fault.name, fault.of): fault for fault in _ALL}
NAMES: Final = tuple(dict.fromkeys(fault.name for fault in _ALL))
CRASHES: Final = {
    fault.name: fault
    for fault in _ALL
    if fault.takes_machines or (fault.of == VM and not fault.lasting)
}
"""Those that campaigns are of: controllers can bring back the machine, or all that were on the
host.
"""
_TO_HEAL: Final = {fault.name for fault in _ALL if not fault.is_over_at_once}


def unhealed(seen: Iterable[Event]) -> list[tuple[str, str]]:
    """The faults that have begun and are not healed yet: whom each has struck, and its name."""
    found: dict[tuple[str, str], None] = {}
    for event in seen:
        each = (event.of, str(event.detail.get("fault")))
        if event.kind is Kind.FAULT and each[1] in _TO_HEAL:
            found[each] = None
        elif event.kind is Kind.HEAL:
            found.pop(each, None)
    return list(found)
