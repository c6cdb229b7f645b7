"""All faults that the testbed can do, each by its name and the kind of what it strikes.

The names are the simulator's: the same scenario runs in both. Adding one is a line in one of the
tables here and, where the simulator has none of that name, one there.
"""

from __future__ import annotations

from typing import Final

from threerc.testbed.faults.base import CONTROLLER, HOST, SITE, VM, Fault, Hands, Options
from threerc.testbed.faults.host import HOST_FAULTS
from threerc.testbed.faults.site import SITE_FAULTS
from threerc.testbed.faults.vm import VM_FAULTS

__all__ = ["CONTROLLER", "FAULTS", "HOST", "NAMES", "SITE", "VM", "Fault", "Hands", "Options"]

_ALL: Final = (*VM_FAULTS, *HOST_FAULTS, *SITE_FAULTS)
FAULTS: Final = {(fault.name, fault.of): fault for fault in _ALL}
NAMES: Final = tuple(dict.fromkeys(fault.name for fault in _ALL))
