"""gmetad (port 8651) and gmond (8649): both write all they know to whoever connects.

How old the data are: a gmetad that cannot poll any collector goes on telling, and lets every
host's TN grow with its own clock, so that all seem to die. CLUSTER LOCALTIME and HOST REPORTED, of
the collector's clock, then stand still. So each host tells the age of the poll, whatever the two
clocks show: TN - (LOCALTIME - REPORTED). With a gmond it is 0.

How long a host was silent: what the collector had seen at that poll, TN less the age. The time
since then is no evidence of anything.

What is not told of: a gmond that was just started has not yet heard of everybody. For as long as
it has listened for less than a death takes, hosts that it lacks are silent since it started.

Source: seen with gmond and gmetad 3.7.2; host->t0 in gmetad/process_xml.c.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median_low
from typing import Final, Literal

from threerc.runtime.config import Endpoint
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors.base import ANSWER_SECONDS, Hosts, put
from threerc.runtime.monitors.ganglia_xml import Cluster, GangliaXml
from threerc.runtime.observation import TMAX, Observation, Seen

_CHUNK: Final = 64 * 2**10


@dataclass(frozen=True)
class Ganglia:
    """A gmetad or gmond.

    `cluster` is the one to read where several are told of. Data older than `fresh` seconds are not
    believed. A host is dead after `after` times its TMAX. `collectors` are the hosts whose gmond
    may be the origin of the data; a gmond is its own, and has to list itself.
    """

    endpoint: Endpoint
    hosts: Hosts
    cluster: str
    fresh: float
    after: float
    collectors: frozenset[str]
    kind: Literal["gmetad", "gmond"]
    seconds: float = ANSWER_SECONDS

    @property
    def name(self) -> str:
        """For people: `gmond bibe:8649`."""
        return f"{self.kind} {self.endpoint.host}:{self.endpoint.port}"

    @property
    def host(self) -> str:
        """The host that it runs on."""
        return self.endpoint.host

    def read(self) -> Observation:
        """All hosts of the cluster. Raises MonitorLost."""
        document = GangliaXml()
        for chunk in self._chunks():
            document.feed(chunk)
        clusters = self._wanted(document.close())
        age = max(_age(cluster) for cluster in clusters)
        if age > self.fresh:
            raise MonitorLost(f"its data are {age:.0f} s old: it does not reach its own sources")
        found: dict[str, Seen] = {}
        for cluster in clusters:
            self._add(found, cluster)
            self._add_unheard(found, cluster)
        return Observation(found, self.name, self.host, age)

    def _chunks(self) -> Iterator[bytes]:
        """All it says, within the time that it has."""
        deadline = time.monotonic() + self.seconds
        where = (str(self.endpoint.address or self.endpoint.host), self.endpoint.port)
        try:
            with socket.create_connection(where, self.seconds) as connection:
                while (left := deadline - time.monotonic()) > 0:
                    connection.settimeout(left)
                    chunk = connection.recv(_CHUNK)
                    if not chunk:
                        return
                    yield chunk
        except TimeoutError:
            pass
        except OSError as error:
            raise MonitorLost(error.strerror or str(error)) from None
        raise MonitorLost(f"no whole answer within {self.seconds:g} s")

    def _wanted(self, clusters: list[Cluster]) -> list[Cluster]:
        """The cluster that is asked for; where there is only one, that one. None is empty."""
        told = [cluster for cluster in clusters if cluster.hosts]
        names = sorted({cluster.name for cluster in told})
        if not names:
            raise MonitorLost("it knows no host")
        if len(names) > 1 and self.cluster not in names:
            raise MonitorLost(f"no cluster {self.cluster!r} among {', '.join(map(repr, names))}")
        return [cluster for cluster in told if len(names) == 1 or cluster.name == self.cluster]

    def _add(self, found: dict[str, Seen], cluster: Cluster) -> None:
        age = _age(cluster)
        for host in cluster.hosts:
            name = self.hosts.short(host.name)
            if name is not None:
                put(found, name, Seen(host.load, max(host.tn - age, 0.0), host.tmax))

    def _add_unheard(self, found: dict[str, Seen], cluster: Cluster) -> None:
        listened = self._listened(cluster)
        if listened is not None and listened <= self.after * TMAX:
            for name in self.hosts.names - found.keys():
                found[name] = Seen(None, max(listened, 0.0))

    def _listened(self, cluster: Cluster) -> float | None:
        """For how many seconds whoever has collected it did so at least; None: not known."""
        starts = [
            host.started
            for host in cluster.hosts
            if host.started > 0 and self.hosts.short(host.name) in self.collectors
        ]
        if starts:
            return float(cluster.localtime - max(starts))
        if self.kind == "gmond":
            raise MonitorLost(f"it does not tell since when it listens: {self.host} is not listed")
        return None


def _age(cluster: Cluster) -> float:
    """Seconds since the collector told it. The median: a host that a gmetad remembers from
    another collector, with another clock, does not count."""
    ages = [host.tn - (cluster.localtime - host.reported) for host in cluster.hosts]
    return float(max(median_low(ages), 0))
