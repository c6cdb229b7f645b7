"""What can happen to a host, or to a controller on it, for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.faults.base import CONTROLLER, HOST, Begin, Fault, Hands, Options, nothing

_STOPPED = Callable[[Hands, str, bool], None]


def _pair(change: _STOPPED) -> tuple[Begin, Begin]:
    """Beginning and healing of what is well, or is not."""

    def begin(hands: Hands, host: str, _options: Options) -> None:
        change(hands, host, False)

    def heal(hands: Hands, host: str, _options: Options) -> None:
        change(hands, host, True)

    return begin, heal


def powered(heal: Callable[[Hands, str], None]) -> Begin:
    """Healing of a host that a controller may have fenced meanwhile: its power is on again."""

    def heal_powered(hands: Hands, host: str, _options: Options) -> None:
        hands.power(host, on=True)
        heal(hands, host)

    return heal_powered


def _stopped(name: str) -> tuple[Begin, Begin]:
    """A daemon of a host is dead."""
    begin, _ = _pair(lambda hands, host, runs: hands.service(host, name, runs=runs))
    return begin, powered(lambda hands, host: hands.service(host, name, runs=True))


def _begin_ssh(hands: Hands, host: str, options: Options) -> None:
    if options.get("mode", "dead") == "dead":
        hands.service(host, "sshd", runs=False)
    else:
        hands.halt(host, "sshd", halted=True)


def _heal_ssh(hands: Hands, host: str) -> None:
    hands.service(host, "sshd", runs=True)
    hands.halt(host, "sshd", halted=False)


def _must_be(hands: Hands, host: str, role: str) -> None:
    if host not in hands.providers(role):
        raise TestbedError(f"{host} is no {role} that controllers ask")


def _monitor(role: str, daemon: str) -> tuple[Begin, Begin]:
    """A monitor is dead, or lies: also where it says of some hosts that they are silent."""

    def begin(hands: Hands, host: str, options: Options) -> None:
        _must_be(hands, host, role)
        silent = tuple(options.get("silent") or ())
        mode = "silent" if silent else options.get("mode", "dead")
        if mode == "dead":
            hands.service(host, daemon, runs=False)
        else:
            hands.lie(host, daemon, mode, silent)

    def heal(hands: Hands, host: str) -> None:
        hands.service(host, daemon, runs=True)
        hands.lie(host, daemon, None)

    return begin, powered(heal)


def _restart_collector(hands: Hands, host: str, _options: Options) -> None:
    _must_be(hands, host, "collector")
    hands.service(host, "gmond", runs=False)
    hands.service(host, "gmond", runs=True)


_LIES: Final = ("mode", "silent")

HOST_FAULTS: Final = (
    Fault(
        "power",
        HOST,
        *_pair(lambda hands, host, on: hands.power(host, on=on)),
        takes_machines=True,
    ),
    Fault(
        "hang",
        HOST,
        lambda hands, host, _: hands.freeze(host, frozen=True),
        powered(lambda hands, host: hands.freeze(host, frozen=False)),
        takes_machines=True,
    ),
    Fault(
        "network",
        HOST,
        lambda hands, host, _: hands.cable(host, plugged=False),
        powered(lambda hands, host: hands.cable(host, plugged=True)),
        takes_machines=True,
    ),
    Fault("ssh", HOST, _begin_ssh, powered(_heal_ssh), options=("mode",), modes=("dead", "hang")),
    Fault("libvirtd", HOST, *_stopped("libvirtd")),
    Fault(
        "board",
        HOST,
        *_pair(lambda hands, host, runs: hands.service(*hands.board(host), runs=runs)),
        options=("mode",),
        modes=("dead",),
    ),
    Fault("gmond", HOST, *_stopped("gmond")),
    Fault(
        "gmetad",
        HOST,
        *_monitor("gmetad", "gmetad"),
        options=_LIES,
        modes=("dead", "stale", "frozen", "empty"),
    ),
    Fault(
        "collector",
        HOST,
        *_monitor("collector", "gmond"),
        options=_LIES,
        modes=("dead", "frozen", "empty"),
    ),
    Fault("collector-restart", HOST, _restart_collector, nothing),
    Fault("controller", CONTROLLER, *_stopped("controller")),
)
