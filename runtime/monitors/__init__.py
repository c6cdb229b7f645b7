"""Where a controller learns the state of all hosts: Ganglia, Prometheus, and asking them directly.

No source is compared with this host's clock. Each tells how old its data are by its own one, so
that hosts whose clocks differ understand each other.
"""

from threerc.runtime.monitors.base import Hosts, Monitor
from threerc.runtime.monitors.sources import from_config, observe

__all__ = ["Hosts", "Monitor", "from_config", "observe"]
