"""What can happen to the site's services, to the controllers' state and to switches, for real.

A service is dead or lies until it is healed, also when its host is switched off and on.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from threerc.runtime.simulation.guests import DEAD
from threerc.testbed.errors import TestbedError
from threerc.testbed.falsehoods import MODES
from threerc.testbed.faults.base import (
    HOST,
    SITE,
    Begin,
    Fault,
    HalfBegun,
    Hands,
    Options,
    for_each,
)
from threerc.testbed.faults.host import powered

SERVICES: Final = {"dhcp": "dhcpd", "tftp": "tftpd", "dns": "named"}
"""The daemon of each role that a fault can strike, as the testbed calls it."""
SWITCH: Final = "switch"
_FILLING: Final = ".filled-by-the-testbed"
_FILL: Final = 'dd if=/dev/zero of="$1/' + _FILLING + '" bs=4k 2>/dev/null; exit 0'
_EMPTY: Final = 'rm -f "$1/' + _FILLING + '"'


def _hurt(role: str, hands: Hands, host: str, options: Options) -> None:
    mode = options.get("mode", DEAD)
    if mode == DEAD:
        hands.service(host, SERVICES[role], runs=False)
    else:
        hands.mislead(host, SERVICES[role], mode)


def _service(role: str) -> tuple[Begin, Begin]:
    """Of the whole site: on each host that has it. One that is off can be dead, and not lie."""

    def begin(hands: Hands, _name: str, options: Options) -> None:
        hosts = hands.providers(role)
        off = [host for host in hosts if not hands.is_on(host)]
        if off and options.get("mode", DEAD) != DEAD:
            raise TestbedError(f"{role} of {', '.join(off)} cannot lie: the power is off")
        for host in hosts:
            _hurt(role, hands, host, options)

    def heal(hands: Hands, _name: str, _options: Options) -> None:
        for_each(hands.providers(role), lambda host: _mend(role, hands, host))

    return begin, heal


def _mend(role: str, hands: Hands, host: str) -> None:
    hands.mislead(host, SERVICES[role], None)


def _services() -> Iterator[Fault]:
    """Each of them, on all hosts that have it, and on one."""
    for role, daemon in SERVICES.items():
        options, modes = ("mode",), (DEAD, *MODES[daemon])
        begin, heal = _service(role)
        yield Fault(role, SITE, begin, heal, options=options, modes=modes)
        begin, heal = partial(_hurt, role), powered(partial(_mend, role))
        yield Fault(role, HOST, begin, heal, options=options, modes=modes)


def _hurt_state(hands: Hands, _name: str, options: Options) -> None:
    """The state directory is not mounted any more, or full: on every controller's host that is on.

    One that comes on later mounts it; full it is the same for all.
    """
    hosts = _with_state(hands)
    try:
        if options.get("mode", "lost") == "full":
            _of_state(hands, _FILL, hosts[0])
        else:
            for_each(hosts, partial(_cover_state, hands, mounted=False))
    except TestbedError as error:
        raise HalfBegun(str(error)) from error


def _mend_state(hands: Hands, _name: str, _options: Options) -> None:
    """Of hosts that are on: what was mounted over it went with the power of others."""

    def mend(host: str) -> None:
        _cover_state(hands, host, mounted=True)
        _of_state(hands, _EMPTY, host)

    for_each(_with_state(hands), mend)


def _with_state(hands: Hands) -> tuple[str, ...]:
    found = tuple(filter(hands.is_on, hands.providers("controller")))
    if not found:
        raise TestbedError("no controller's host is on, and the shared state out of reach")
    return found


def _cover_state(hands: Hands, host: str, *, mounted: bool) -> None:
    hands.mount(host, hands.state_directory, mounted=mounted)


def _of_state(hands: Hands, script: str, host: str) -> None:
    done = hands.run(host, "sh", "-c", script, "sh", hands.state_directory)
    if done.rc:
        raise TestbedError(f"{host}: {done.err.strip()}")


def _break_switch(hands: Hands, name: str, _options: Options) -> None:
    hands.switch(name, works=False)


def _mend_switch(hands: Hands, name: str, _options: Options) -> None:
    hands.switch(name, works=True)


SITE_FAULTS: Final = (
    *_services(),
    Fault("state", SITE, _hurt_state, _mend_state, options=("mode",), modes=("lost", "full")),
    Fault(SWITCH, SITE, _break_switch, _mend_switch),
)
