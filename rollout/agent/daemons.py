"""How the daemons of a host are told of new files: by systemd, or else by the scripts of init."""

from __future__ import annotations

import os
from typing import NamedTuple

from threerc.compiler.services import Service
from threerc.rollout.agent.programs import found, run

_ELSEWHERE = {
    "isc-dhcp-server": "dhcpd",
    "ganglia-monitor": "gmond",
    "kea-dhcp4-server": "kea-dhcp4",
}
"""What other distributions call Debian's units."""
_PROGRAMS = {
    "drbd": ("drbdadm", "adjust", "all"),
    "nfs-server": ("exportfs", "-ra"),
}
"""Those that are told by a program of their own."""


class Told(NamedTuple):
    """What came of it: `complaint` where it failed, `absent` where the host has no such daemon."""

    complaint: str = ""
    absent: bool = False


def tell(service: Service) -> Told:
    """Let a daemon take its new files: by a reload where it can, else by a restart."""
    if service.unit in _PROGRAMS:
        command = _PROGRAMS[service.unit]
        return Told(run(*command) or "") if found(command[0]) else Told(absent=True)
    if os.path.isdir("/run/systemd/system"):
        return _systemd(service)
    return _init(service)


def _systemd(service: Service) -> Told:
    for unit in (service.unit, _ELSEWHERE.get(service.unit, "")):
        if unit and run("systemctl", "cat", "--", unit) is None:
            verb = "restart" if service.verb == "restart" else "reload-or-restart"
            return Told(run("systemctl", verb, "--", unit) or "")
    return Told(absent=True)


def _init(service: Service) -> Told:
    script = f"/etc/init.d/{service.unit}"
    if not os.access(script, os.X_OK):
        return Told(absent=True)
    if service.verb != "restart" and run(script, "reload") is None:
        return Told()
    return Told(run(script, "restart") or "")
