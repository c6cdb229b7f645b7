"""What can happen to the site's services, to the controllers' state and to switches, for real.

A service that is dead starts again with its host, as a service of a real host does.
"""

from __future__ import annotations

from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.faults.base import HOST, SITE, Begin, Fault, Hands, Options
from threerc.testbed.faults.host import stopped

SERVICES: Final = {"dhcp": "dhcpd", "tftp": "tftpd", "dns": "named"}
"""The daemon of each role that a fault can strike, as the testbed calls it."""
SWITCH: Final = "switch"
_FILLING: Final = ".filled-by-the-testbed"
_FILL: Final = 'dd if=/dev/zero of="$1/' + _FILLING + '" bs=4k 2>/dev/null; exit 0'
_EMPTY: Final = 'rm -f "$1/' + _FILLING + '"'


def _service(role: str) -> tuple[Begin, Begin]:
    """Of the whole site: on each host that has it, and is on."""

    def change(hands: Hands, *, runs: bool) -> None:
        for host in hands.providers(role):
            if hands.is_on(host):
                hands.service(host, SERVICES[role], runs=runs)

    def begin(hands: Hands, _name: str, _options: Options) -> None:
        change(hands, runs=False)

    def heal(hands: Hands, _name: str, _options: Options) -> None:
        change(hands, runs=True)

    return begin, heal


def _hurt_state(hands: Hands, _name: str, options: Options) -> None:
    """The state directory is not mounted any more, or full: on every controller's host."""
    mode = options.get("mode", "lost")
    if mode == "full":
        host = hands.providers("controller")[0]  # it is the same for all
        hands.run(host, "sh", "-c", _FILL, "sh", hands.state_directory)
        return
    if mode != "lost":
        raise TestbedError(f"the shared state cannot be {mode}: lost, or full")
    for host in hands.providers("controller"):
        hands.mount(host, hands.state_directory, mounted=False)


def _mend_state(hands: Hands, _name: str, _options: Options) -> None:
    for host in hands.providers("controller"):
        hands.mount(host, hands.state_directory, mounted=True)
    host = hands.providers("controller")[0]
    hands.run(host, "sh", "-c", _EMPTY, "sh", hands.state_directory)


def _break_switch(hands: Hands, name: str, _options: Options) -> None:
    hands.switch(name, works=False)


def _mend_switch(hands: Hands, name: str, _options: Options) -> None:
    hands.switch(name, works=True)


SITE_FAULTS: Final = (
    *(Fault(role, SITE, *_service(role)) for role in SERVICES),
    *(Fault(role, HOST, *stopped(daemon)) for role, daemon in SERVICES.items()),
    Fault("state", SITE, _hurt_state, _mend_state, options=("mode",), modes=("lost", "full")),
    Fault(SWITCH, SITE, _break_switch, _mend_switch),
)
