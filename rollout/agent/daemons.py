"""How the daemons of a host are told of new files: by systemd, or else by the scripts of init."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import NamedTuple

from threerc.compiler.services import GMOND, Order, Service
from threerc.rollout.agent.programs import found, run, runs

_ELSEWHERE = {
    "isc-dhcp-server": "dhcpd",
    "ganglia-monitor": "gmond",
    "kea-dhcp4-server": "kea-dhcp4",
    "named": "bind9",
}
"""What other distributions, or older ones, call Debian's units."""
_OUTLIVE = {"ganglia-monitor": "gmond", "gmetad": "gmetad"}
"""Daemons that Debian's scripts do not end: they look for a file with the id, that nobody has."""
_TO_END = 5.0
"""Seconds that gmond has to end. One that has no route to its group tries for ever to join it, and
does not hear that it is to end: systemd would wait for 90 s."""


_MASKS = ("/etc/systemd/system", "/run/systemd/system")


class Told(NamedTuple):
    """What came of it: `complaint` where it failed, `absent` where the host has no such daemon.

    One that is `disabled` serves until the host is booted.
    """

    complaint: str = ""
    absent: bool = False
    disabled: bool = False


def tell(order: Order) -> Told:
    """Let a daemon take its new files: by a reload where it can, else by a restart."""
    command = order.service.program
    if command:
        return Told(run(*command) or "") if found(command[0]) else Told(absent=True)
    return _systemd(order) if os.path.isdir("/run/systemd/system") else _init(order)


def idle(services: Iterable[Service]) -> list[str]:
    """The names of those of these daemons that do not run here; each is that of its process."""
    return [each.name for each in services if not each.program and not runs(each.name)]


def stopping(given: Iterable[Order], names: Collection[str]) -> list[Order]:
    """These orders, where the daemons of those names are to stop, before others start."""
    found = [Order(each.service, "stop") if each.service.name in names else each for each in given]
    return sorted(found, key=lambda order: order.verb != "stop")


def _systemd(order: Order) -> Told:
    unit = order.service.unit
    for name in (unit, _ELSEWHERE.get(unit, unit)):
        if run("systemctl", "cat", "--", name) is None:
            return _unit(order, name)
    return Told(absent=True)


def _unit(order: Order, name: str) -> Told:
    verb = _verb(order)
    if verb != "stop" and _is_masked(name):
        return Told(f"{name} is masked")
    if order.service == GMOND:
        _end(name)
    if verb == "stop":
        said = run("systemctl", "stop", "--", name)
        run("systemctl", "reset-failed", "--", name)  # it may have failed while it was stopped
        return Told(said or "")
    # Else systemd would not start again what the new files have made fail a few times.
    run("systemctl", "reset-failed", "--", name)
    said = run("systemctl", verb, "--", name)
    if said is not None:
        return Told(said)
    return Told(disabled=run("systemctl", "is-enabled", "--", name) is not None)


def _is_masked(unit: str) -> bool:
    """Whether somebody wants that it is never started. Source: systemctl(1), mask."""
    return any(os.path.realpath(f"{place}/{unit}.service") == os.devnull for place in _MASKS)


def _end(unit: str) -> None:
    """End a daemon that has nothing to lose: if it does not, by force."""
    if run("systemctl", "stop", "--", unit, seconds=_TO_END) is not None:
        run("systemctl", "kill", "--signal=KILL", "--", unit)


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
    if verb == "stop" and not runs(order.service.name):
        return Told()
    if verb == "reload-or-restart":
        if run(script, "reload") is None:
            return Told()
        verb = "restart"
    if order.service.unit in _OUTLIVE:
        ending = ("--stop", "--oknodo", "--retry", "5", "--name", _OUTLIVE[order.service.unit])
        run("start-stop-daemon", *ending)
    return Told(run(script, verb) or "")
