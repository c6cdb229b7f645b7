"""What can happen to a controller."""

from __future__ import annotations

from typing import Final

from threerc.runtime.simulation.calls import At
from threerc.runtime.simulation.faults.base import CONTROLLER, Fault, Options
from threerc.runtime.simulation.simulation import Simulation


def _controller(simulation: Simulation, name: str, options: Options) -> None:
    controller = simulation.controllers[name]
    caller = controller.caller
    if "call" not in options:
        controller.off = True
        controller.kill()
    elif "stall" in options:
        caller.stalls[At.of(options["call"])] = options["stall"]
    else:
        caller.dies_at = At.of(options["call"])


def _controller_back(simulation: Simulation, name: str) -> None:
    controller = simulation.controllers[name]
    controller.off = False
    controller.caller.dies_at = None
    controller.caller.stalls.clear()


def _slow(simulation: Simulation, name: str, options: Options) -> None:
    simulation.controllers[name].caller.slow = options.get("seconds", 1.0)


def _quick(simulation: Simulation, name: str) -> None:
    simulation.controllers[name].caller.slow = 0.0


def _clock(simulation: Simulation, name: str, options: Options) -> None:
    simulation.controllers[name].jump(options.get("seconds", 0.0))


CONTROLLER_FAULTS: Final = (
    Fault(
        "controller",
        CONTROLLER,
        "It is killed and starts no more; with `call` it is killed where its next tick makes that "
        "call, and goes on in the one after; with `stall` it is only stopped there for so long.",
        _controller,
        _controller_back,
        ("call", "stall"),
    ),
    Fault(
        "slow",
        CONTROLLER,
        "Each of its calls takes `seconds` more.",
        _slow,
        _quick,
        ("seconds",),
    ),
    Fault("clock", CONTROLLER, "Its clock jumps by `seconds`.", _clock, None, ("seconds",)),
)
