"""What gmetad and the collectors say of the site, truly or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor
from typing import TYPE_CHECKING, Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.observation import Observation, Seen

if TYPE_CHECKING:
    from threerc.runtime.simulation.site import Site


_SILENT: Final = 100.0


@dataclass
class Source:
    """A gmetad, or a collector's gmond.

    `mode` is `ok`, `dead` (nobody answers), `stale` (it has stopped asking its collector),
    `frozen` (it says the same for ever, as if it were new), `empty` (it knows no host). Of the
    hosts in `silent` it says that they have been so since `began`, and long enough to be down,
    whatever it has heard. `asked` is the collector whose data it has, `lost` since when none has
    answered it.
    """

    host: str
    polls: bool
    mode: str = "ok"
    began: float = 0.0
    asked: str = ""
    lost: float | None = None
    silent: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """As it is called in reports."""
        return f"{'gmetad' if self.polls else 'gmond'} on {self.host}"

    def age(self, site: Site) -> float:
        """How old its data is, in seconds."""
        if not self.polls:
            return 0.0
        now = moment = site.timeline.now
        if self.lost is not None:
            moment = self.lost
        if self.mode == "stale":
            moment = min(moment, self.began)
        return now - self._polled(site, moment)

    def update(self, site: Site) -> None:
        """Take notice of a change: whom it asks from now on, and since when nobody answers."""
        collector = self.collector(site)
        if collector is not None:
            self.asked, self.lost = collector, None
        elif self.lost is None:
            self.lost = site.timeline.now

    def _polled(self, site: Site, moment: float) -> float:
        every = site.config.monitors.poll_interval
        return floor(moment / every) * every

    def say(self, site: Site, failed: tuple[str, ...] = ()) -> Observation:
        """All hosts that it knows; `failed` is what others said before."""
        now, age = site.timeline.now, self.age(site)
        if self.mode == "frozen":
            now, age = self.began, 0.0
        knows = self.asked and self.mode != "empty"
        heard = site.beats.all(self.asked, now - age) if knows else {}
        hosts = {name: Seen(site.load(name), now - last) for name, last in heard.items()}
        for name in self.silent:
            hosts[name] = Seen(None, now - self.began + _SILENT)
        return Observation(hosts, self.name, self.host, age, failed)

    def collector(self, site: Site) -> str | None:
        """The collector whose data it has: itself, or the first that answers."""
        if not self.polls:
            return self.host
        me = site.hosts[self.host]
        for other in site.sources:
            if not other.polls and other.mode != "dead" and me.reaches(site.hosts[other.host]):
                return other.host
        return None


def sources(config: ControllerConfig) -> tuple[Source, ...]:
    """All that can be asked, in the order in which controllers do."""
    monitors = config.monitors
    return (
        *(Source(each.host, polls=True) for each in monitors.gmetad),
        *(Source(each.host, polls=False) for each in monitors.collectors),
    )


def find(site: Site, host: str, *, polls: bool) -> Iterable[Source]:
    """The gmetad, or the collectors, on a host."""
    return [each for each in site.sources if each.host == host and each.polls == polls]
