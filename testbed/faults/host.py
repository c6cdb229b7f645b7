"""What can happen to a host, or to a controller on it, for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.faults.base import CONTROLLER, HOST, Begin, Fault, Hands, Options

_STOPPED = Callable[[Hands, str, bool], None]


def _pair(change: _STOPPED) -> tuple[Begin, Begin]:
    """Beginning and healing of what is well, or is not."""

    def begin(hands: Hands, host: str, _options: Options) -> None:
        change(hands, host, False)

    def heal(hands: Hands, host: str, _options: Options) -> None:
        change(hands, host, True)

    return begin, heal


def _daemon(name: str) -> tuple[Begin, Begin]:
    return _pair(lambda hands, host, runs: hands.service(host, name, runs=runs))


def _by_mode(name: str, usual: str) -> tuple[Begin, Begin]:
    """A daemon that is `dead`, or hangs under another name of the simulator's."""

    def begin(hands: Hands, host: str, options: Options) -> None:
        mode = options.get("mode", usual)
        if mode == "dead":
            hands.service(host, name, runs=False)
        elif mode in _HANGS:
            hands.halt(host, name, halted=True)
        else:
            raise TestbedError(f"{name} cannot be {mode} for real: dead, or {', '.join(_HANGS)}")

    def heal(hands: Hands, host: str, _options: Options) -> None:
        hands.halt(host, name, halted=False)
        hands.service(host, name, runs=True)

    return begin, heal


_HANGS: Final = ("hang", "frozen")


_GMOND_PORT: Final = 8649


def _begin_collector(hands: Hands, host: str, options: Options) -> None:
    """The collector is dead, frozen, or does not hear some hosts, and says that they are silent."""
    silent = tuple(options.get("silent") or ())
    if silent:
        hands.deafen(host, to=silent, port=_GMOND_PORT, hears=False)
    else:
        _COLLECTOR[0](hands, host, options)


def _heal_collector(hands: Hands, host: str, options: Options) -> None:
    hands.deafen(host, to=(), port=_GMOND_PORT, hears=True)
    _COLLECTOR[1](hands, host, options)


_COLLECTOR: Final = _by_mode("gmond", "dead")


def _restart_collector(hands: Hands, host: str, _options: Options) -> None:
    hands.service(host, "gmond", runs=False)
    hands.service(host, "gmond", runs=True)


def _nothing(_hands: Hands, _host: str, _options: Options) -> None:
    """It is over as soon as it has happened."""


HOST_FAULTS: Final = (
    Fault("power", HOST, *_pair(lambda hands, host, on: hands.power(host, on=on))),
    Fault("hang", HOST, *_pair(lambda hands, host, well: hands.freeze(host, frozen=not well))),
    Fault("network", HOST, *_pair(lambda hands, host, on: hands.cable(host, plugged=on))),
    Fault("ssh", HOST, *_by_mode("sshd", "dead"), options=("mode",), modes=("dead", "hang")),
    Fault("libvirtd", HOST, *_daemon("libvirtd")),
    Fault("gmond", HOST, *_daemon("gmond")),
    Fault("gmetad", HOST, *_by_mode("gmetad", "dead"), options=("mode",), modes=("dead", "frozen")),
    Fault(
        "collector",
        HOST,
        _begin_collector,
        _heal_collector,
        options=("mode", "silent"),
        modes=("dead", "frozen"),
    ),
    Fault("collector-restart", HOST, _restart_collector, _nothing),
    Fault("controller", CONTROLLER, *_daemon("cron")),
)
