"""All faults that the testbed can do, each by its name and the kind of what it strikes.

The names are the simulator's: the same scenario runs in both. Adding one is a line in one of the
tables here and, where the simulator has none of that name, one there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Final

from threerc.testbed.events import Event, Kind
from threerc.testbed.faults.base import CONTROLLER, HOST, SITE, VM, Fault, HalfBegun, Hands, Options
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
    "HalfBegun",
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
_SECONDS: Final = {fault.name: fault.seconds for fault in _ALL if fault.seconds is not None}


def unhealed(seen: Iterable[Event], now: float | None = None) -> list[tuple[str, str]]:
    """The faults that have begun and last: whom each has struck, and its name.

    Until they are healed or, for those that end by themselves, are over at `now`, which is really
    now where it is not told.
    """
    by = time.time() if now is None else now
    found: dict[tuple[str, str], None] = {}
    for event in seen:
        each = (event.of, str(event.detail.get("fault")))
        if event.kind is Kind.FAULT and each[1] in _TO_HEAL and _end(event) > by:
            found[each] = None
        elif event.kind is Kind.HEAL:
            found.pop(each, None)
        elif event.kind is Kind.STARTED:
            for name in _SECONDS:
                found.pop((event.of, name), None)
    return list(found)


def _end(event: Event) -> float:
    """When a fault that has begun ends by itself."""
    seconds = _SECONDS.get(str(event.detail["fault"]), math.inf)
    return event.time + float(event.detail.get("seconds", seconds))
