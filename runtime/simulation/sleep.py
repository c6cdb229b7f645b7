"""Ticks in which there is nothing to see and nothing to do are skipped, which changes nothing.

Such a tick leaves one trace: that it was. So the last one that was skipped is noted in the shared
state when the controllers wake up, with the code that notes it in a real tick.
"""

from __future__ import annotations

from math import inf
from typing import Final

from threerc.runtime.observation import TMAX
from threerc.runtime.simulation.controllers import Controller
from threerc.runtime.simulation.machines import MAIN
from threerc.runtime.simulation.simulation import Simulation
from threerc.runtime.simulation.timeline import Entry
from threerc.runtime.world import Versioned

_EARLY: Final = 8.0
"""Seconds before a death could be seen in which ticks are real: one that is slow may see it."""
_GROUPS: Final = ("paused/", "maintenance/", "installed/")


class Sleep:
    """Stops the ticks of a simulation while all is quiet, and wakes the controllers in time."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.site = simulation.site
        self.timeline = simulation.timeline
        self.asleep = False
        self._controllers = tuple(simulation.controllers.values())
        self._skipped: dict[str, tuple[float, float]] = {}
        self._alarm: Entry | None = None
        self._calm_at = -1
        monitors = simulation.config.monitors
        self._limit = monitors.down_after * TMAX
        # Whoever lives is never taken for dead, however long ago its monitor was asked.
        self._slack = self.site.beats.period + monitors.poll_interval
        self._possible = self._limit > self._slack
        self.timeline.watch(self._before, self._after)

    # -- around whatever happens

    def _before(self, moment: float) -> None:
        """Which ticks there would have been until now, as long as the site is as it was."""
        if self.asleep:
            for controller in self._controllers:
                last = controller.last(moment)
                if controller.lives and last > controller.began:
                    self._skipped[controller.name] = (last, controller.clock.local(last))

    def _after(self) -> None:
        if not self.asleep:
            for controller in self._controllers:
                if not controller.calm:
                    return
        if self._possible:
            self._look()

    def _look(self) -> None:
        """Sleep until a host will have been silent for too long; or not, where one is."""
        wake = self._next_death() - _EARLY if self._calm() else 0.0
        if wake > self.timeline.now:
            self._sleep_until(wake)
        elif self.asleep:
            self._wake()

    def _sleep_until(self, moment: float) -> None:
        self.asleep = True
        for controller in self._controllers:
            controller.cancel()
        if self._alarm is not None:
            self.timeline.cancel(self._alarm)
        self._alarm = None if moment == inf else self.timeline.at(moment, self._wake)

    def _wake(self) -> None:
        self.asleep = False
        for controller in self._controllers:
            moment, local = self._skipped.pop(controller.name, (0.0, 0.0))
            if moment > controller.began:
                controller.note(local)
            controller.schedule()

    # -- whether all is quiet

    def _calm(self) -> bool:
        """Whether the shared state asks for nothing, and can be reached."""
        store = self.site.store
        if self.site.state != "ok":
            return False
        for controller in self._controllers:
            if controller.world.host.segment != MAIN or controller.caller.disturbed:
                return False
            if controller.seen != store.writes:
                return False
        if self._calm_at != store.writes:
            waiting = any(store.list(group) for group in _GROUPS)
            if waiting or store.get("brake") or not all(map(_rests, store.list("vm/").values())):
                return False
            self._calm_at = store.writes
        return True

    def _next_death(self) -> float:
        """When the first host will be taken for dead, by any controller; infinity: never."""
        asked = {self._collector(controller) for controller in self._controllers}
        if None in asked:
            return 0.0
        deaths = (self.site.beats.next_death(str(c), self._limit, self._slack) for c in asked)
        return min(deaths, default=inf)

    def _collector(self, controller: Controller) -> str | None:
        """The collector whose data a controller gets; None where that is not simply so."""
        for source in self.site.sources:
            if controller.world.can_ask(source):
                plain = source.mode == "ok" and not source.silent
                return source.collector(self.site) if plain else None
        return None


def _rests(found: Versioned) -> bool:
    """Whether a VM's record asks for nothing as long as the VM is up."""
    record = found.value
    return "up" in record and not record.keys() & {"intent", "link", "left"}
