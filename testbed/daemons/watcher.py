"""Who watches the machines of a physical host: the testbed's own program, inside the capsule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.testbed.parts import Bind, Daemon, Ready
from threerc.testbed.supplies import Supplies

_EVENTS: Final = "/run/3rc-events.jsonl"
_LOGS: Final = "/run/3rc-logs"
_CONSOLES: Final = "/run/3rc-consoles"


def watcher(host: str, supplies: Supplies) -> Daemon:
    """The watcher, which libvirtd has to be there for."""
    program = (str(supplies.python), "-m", "threerc.testbed.watching")
    return Daemon(
        "watcher",
        (*program, host, _EVENTS, _LOGS, _CONSOLES),
        ready=Ready("log", "watches"),
        restart=True,
    )


def binds(supplies: Supplies) -> Iterator[Bind]:
    """Where it leaves what it has seen: in the run's folder."""
    yield Bind(supplies.events, _EVENTS)
    yield Bind(supplies.run / "logs", _LOGS)
    yield Bind(supplies.consoles, _CONSOLES)
