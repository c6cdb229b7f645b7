"""What can happen to a monitor: it dies, or worse, it lies."""

from __future__ import annotations

from typing import Final

from threerc.runtime.simulation.faults.base import HOST, Begin, End, Fault, Options
from threerc.runtime.simulation.monitors import find
from threerc.runtime.simulation.simulation import Simulation


def _monitor(*, polls: bool) -> tuple[Begin, End]:
    def begin(simulation: Simulation, name: str, options: Options) -> None:
        for source in find(simulation.site, name, polls=polls):
            silent = options.get("silent")
            source.mode = options.get("mode", "ok" if silent else "dead")
            source.began = simulation.timeline.now
            source.silent = set(silent or ())
        simulation.site.monitors_changed()

    def end(simulation: Simulation, name: str) -> None:
        for source in find(simulation.site, name, polls=polls):
            if source.mode == "dead" and not polls:
                simulation.site.beats.forget(name)
            source.mode, source.silent = "ok", set()
        simulation.site.monitors_changed()

    return begin, end


def _restart(simulation: Simulation, name: str, _options: Options) -> None:
    simulation.site.beats.forget(name)


MONITOR_FAULTS: Final = (
    Fault(
        "gmetad",
        HOST,
        "Its gmetad is `dead`, `stale` (asks its collector no more), `frozen` (says the same for "
        "ever), `empty` (knows no host), or says of the hosts in `silent` that they are.",
        *_monitor(polls=True),
        ("silent",),
        ("dead", "stale", "frozen", "empty"),
    ),
    Fault(
        "collector",
        HOST,
        "The gmond that collects there is `dead` (and has forgotten all when it is back), "
        "`frozen`, `empty`, or says of the hosts in `silent` that they are.",
        *_monitor(polls=False),
        ("silent",),
        ("dead", "frozen", "empty"),
    ),
    Fault("collector-restart", HOST, "The gmond that collects there forgets all hosts.", _restart),
)
