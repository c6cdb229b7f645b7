"""All faults, each by its name and the kind of what it strikes.

The names say what happens, not how it is simulated, so that a testbed can do the same for real.
"""

from __future__ import annotations

from typing import Final

from threerc.runtime.simulation.faults.base import CONTROLLER, HOST, SITE, VM, Fault
from threerc.runtime.simulation.faults.controller import CONTROLLER_FAULTS
from threerc.runtime.simulation.faults.host import HOST_FAULTS
from threerc.runtime.simulation.faults.monitor import MONITOR_FAULTS
from threerc.runtime.simulation.faults.site import SITE_FAULTS, SWITCH
from threerc.runtime.simulation.faults.vm import VM_FAULTS

__all__ = ["CONTROLLER", "FAULTS", "HOST", "NAMES", "SITE", "SWITCH", "VM", "Fault"]

_ALL: Final = (*VM_FAULTS, *HOST_FAULTS, *MONITOR_FAULTS, *CONTROLLER_FAULTS, *SITE_FAULTS)
FAULTS: Final = {(fault.name, fault.of): fault for fault in _ALL}
NAMES: Final = tuple(dict.fromkeys(fault.name for fault in _ALL))
