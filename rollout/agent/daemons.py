"""How the daemons of a host are told of new files: by systemd, or else by the scripts of init."""

from __future__ import annotations

import os
from typing import NamedTuple

from threerc.compiler.services import Order
from threerc.rollout.agent.programs import found, run

_ELSEWHERE = {
    "isc-dhcp-server": "dhcpd",
    "ganglia-monitor": "gmond",
    "kea-dhcp4-server": "kea-dhcp4",
}
"""What other distributions call Debian's units."""
_OUTLIVE = {"ganglia-monitor": "gmond", "gmetad": "gmetad"}
"""Daemons that Debian's scripts do not end: they look for a file with the id, that nobody has."""


class Told(NamedTuple):
    """What came of it: `complaint` where it failed, `absent` where the host has no such daemon."""

    complaint: str = ""
    absent: bool = False


def tell(order: Order) -> Told:
    """Let a daemon take its new files: by a reload where it can, else by a restart."""
    command = order.service.program
    if command:
        return Told(run(*command) or "") if found(command[0]) else Told(absent=True)
    return _systemd(order) if os.path.isdir("/run/systemd/system") else _init(order)


def _systemd(order: Order) -> Told:
    unit = order.service.unit
    for name in (unit, _ELSEWHERE.get(unit, unit)):
        if run("systemctl", "cat", "--", name) is None:
            # Else systemd would not start again what the new files have made fail a few times.
            run("systemctl", "reset-failed", "--", name)
            return Told(run("systemctl", _verb(order), "--", name) or "")
    return Told(absent=True)


def _verb(order: Order) -> str:
    """A daemon that is to start may run already, by the files that its package came with."""
    if order.verb == "stop":
        return "stop"
    return "restart" if order.service.verb == "restart" else "reload-or-restart"


def _init(order: Order) -> Told:
    script = f"/etc/init.d/{order.service.unit}"
    if not os.access(script, os.X_OK):
        return Told(absent=True)
    verb = _verb(order)
    if verb == "reload-or-restart":
        if run(script, "reload") is None:
            return Told()
        verb = "restart"
    if order.service.unit in _OUTLIVE:
        ending = ("--stop", "--oknodo", "--retry", "5", "--name", _OUTLIVE[order.service.unit])
        run("start-stop-daemon", *ending)
    return Told(run(script, verb) or "")
