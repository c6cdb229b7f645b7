"""All monitors of a site, asked in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Final, Literal

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors.base import Hosts, Monitor, fresh_seconds
from threerc.runtime.monitors.ganglia import Ganglia
from threerc.runtime.monitors.prometheus import LONGEST_INTERVAL, PrometheusServer
from threerc.runtime.observation import Observation

TOTAL_SECONDS: Final = 8.0
PATIENCE: Final = 2.0
"""Seconds after which the next source is asked as well."""


def from_config(config: ControllerConfig) -> tuple[Monitor, ...]:
    """The monitors of a site: gmetads, then the collectors' gmonds, then Prometheus servers."""
    settings = config.monitors
    hosts = _hosts(config)
    fresh = fresh_seconds(settings.poll_interval)
    collectors = [endpoint.host for endpoint in settings.collectors]

    def ganglia(kind: Literal["gmetad", "gmond"]) -> Iterator[Ganglia]:
        for endpoint in settings.gmetad if kind == "gmetad" else settings.collectors:
            yield Ganglia(
                endpoint=endpoint,
                hosts=hosts,
                cluster=settings.cluster,
                fresh=fresh,
                after=settings.down_after,
                collectors=frozenset(collectors if kind == "gmetad" else [endpoint.host]),
                kind=kind,
            )

    servers = (
        PrometheusServer(each, hosts, fresh, min(settings.poll_interval, LONGEST_INTERVAL))
        for each in settings.prometheus
    )
    return (*ganglia("gmetad"), *ganglia("gmond"), *servers)


def _hosts(config: ControllerConfig) -> Hosts:
    settings = config.monitors
    physical, virtual = config.physical_hosts, config.virtual_machines
    others = [(each.host, each.address) for each in (*settings.gmetad, *settings.collectors)]
    others += [(each.host, each.address) for each in config.tftp_servers]
    told = [
        *((name, host.address) for name, host in physical.items()),
        *((name, vm.address) for name, vm in virtual.items()),
        *others,
    ]
    addresses = {str(address): name for name, address in told if address is not None}
    return Hosts((*physical, *virtual), addresses, [name for name, _ in others])


def observe(monitors: Sequence[Monitor], *, seconds: float = TOTAL_SECONDS) -> Observation:
    """What the first monitor that has fresh data says; what the others answered is in `failed`.

    Each is asked when the one before it has failed, or has taken its time; one that hangs delays
    nobody. Raises MonitorLost with all that they said, after `seconds` at the latest.
    """
    if not monitors:
        raise MonitorLost("the site has no monitor")
    return _Round(monitors, seconds).run()


@dataclass
class _Round:
    """One time of asking all."""

    monitors: Sequence[Monitor]
    seconds: float
    asked: int = 0
    said: dict[int, str] = field(default_factory=dict)
    answers: SimpleQueue[tuple[int, Observation | Exception]] = field(default_factory=SimpleQueue)

    def run(self) -> Observation:
        # All have been asked when half of the time is over.
        patience = min(PATIENCE, self.seconds / 2 / len(self.monitors))
        end = time.monotonic() + self.seconds
        while len(self.said) < len(self.monitors) and (left := end - time.monotonic()) > 0:
            if self.asked < len(self.monitors):
                self._ask_next()
            last = self.asked == len(self.monitors)
            found = self._answer(left if last else min(patience, left))
            if found is not None:
                return found
        raise MonitorLost("; ".join(self._failed()))

    def _ask_next(self) -> None:
        # Its thread may outlive this process's wish to end: nobody waits for a source that hangs.
        asking = (self.asked, self.monitors[self.asked])
        threading.Thread(target=self._ask, args=asking, daemon=True).start()
        self.asked += 1

    def _ask(self, number: int, monitor: Monitor) -> None:
        try:
            self.answers.put((number, monitor.read()))
        except Exception as error:
            self.answers.put((number, error))

    def _answer(self, seconds: float) -> Observation | None:
        """What a source has said, if it has within these seconds and it is good."""
        try:
            number, answer = self.answers.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(answer, Observation):
            return replace(answer, failed=self._failed(without=number))
        if not isinstance(answer, MonitorLost):
            raise answer
        self.said[number] = str(answer)
        return None

    def _failed(self, without: int | None = None) -> tuple[str, ...]:
        return tuple(
            f"{self.monitors[number].name}: {self.said.get(number, 'has not answered in time')}"
            for number in range(self.asked)
            if number != without
        )
