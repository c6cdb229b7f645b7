"""What a fault is, and the helpers of those who define some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.simulation.simulation import Simulation
from threerc.runtime.simulation.site import host_names

Options = dict[str, Any]
Begin = Callable[[Simulation, str, Options], None]
End = Callable[[Simulation, str], None]

VM: Final = "VM"
HOST: Final = "host"
SITE: Final = "site"
CONTROLLER: Final = "controller"


@dataclass(frozen=True)
class Fault:
    """A fault by name and target: how it begins and, if it does, ends.

    `options` are the keys that it takes, `modes` the values of `mode`, the usual one first.
    """

    name: str
    of: str
    about: str
    begin: Begin
    end: End | None = None
    options: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()


def kinds(config: ControllerConfig, name: str) -> tuple[str, ...]:
    """What a name can be for a fault; nothing, where the site has nothing of that name."""
    tables = (
        (VM, config.virtual_machines),
        (HOST, host_names(config)),
        (CONTROLLER, config.controllers),
    )
    return tuple(kind for kind, names in tables if name in names)
