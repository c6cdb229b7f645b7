"""Ganglia's XML as gmond and gmetad write it, read as a stream. Pure.

Whatever comes, memory stays bounded and nothing but MonitorLost is raised. Ganglia's own documents
carry a DTD, which may declare elements and attributes; one that declares entities, or points
elsewhere, is refused.

Source: the DTD that gmond 3.7 sends; gmond.c, gmetad/server.c and gmetad/process_xml.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Final
from xml.parsers import expat

from threerc.runtime.errors import MonitorLost

MOST_BYTES: Final = 512 * 2**20
MOST_HOSTS: Final = 200_000
MOST_OUTSIDE: Final = 100_000
"""Elements around the hosts: clusters, grids and their summaries."""
MOST_BETWEEN: Final = 2 * 2**20
"""Bytes from one host to the next: bounds how much expat keeps, of one long word or many deep
elements. A thousand metrics take 400 KiB."""
_LONGEST_NAME: Final = 255
# gmond declares it, whatever bytes its hosts have sent.
_ENCODING: Final = "ISO-8859-1"
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}")


@dataclass(slots=True)
class Host:
    """A HOST: `tn` seconds since it was heard, `tmax` at most between two signs of life.

    `reported` (when it was heard) is by the collector's clock, `started` (of its gmond, 0: not
    told) by the host's own, both in seconds since the epoch. `load` is over five minutes.
    """

    name: str
    tn: int
    tmax: int
    reported: int
    started: int
    load: float | None = None


@dataclass(slots=True)
class Cluster:
    """A CLUSTER; `localtime` is the collector's clock when it told all this."""

    name: str
    localtime: int
    hosts: list[Host] = field(default_factory=list)


class GangliaXml:
    """Reads a document chunk by chunk. All methods raise MonitorLost."""

    def __init__(self) -> None:
        self._clusters: list[Cluster] = []
        self._host: Host | None = None
        self._bytes = 0
        self._last_host = 0
        self._hosts = 0
        self._outside = 0
        self._parser = parser = expat.ParserCreate(_ENCODING)
        parser.ordered_attributes = True
        parser.specified_attributes = True
        parser.StartDoctypeDeclHandler = _doctype
        parser.EntityDeclHandler = _entity
        parser.StartElementHandler = self._root

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise MonitorLost(f"its XML does not end within {MOST_BYTES >> 20} MiB")
        self._parse(data)
        if self._bytes - self._last_host > MOST_BETWEEN:
            raise MonitorLost(f"its XML has no host within {MOST_BETWEEN >> 20} MiB")

    def close(self) -> list[Cluster]:
        """All clusters, after the last bytes."""
        if not self._bytes:
            raise MonitorLost("it says nothing: does it trust this host?")
        self._parse(b"", last=True)
        return self._clusters

    def _parse(self, data: bytes, *, last: bool = False) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise MonitorLost(f"its XML is broken: {error}") from None

    # Outside of hosts every element is looked at. Inside, all are up to load_five, the only metric
    # of interest; then only ends are, which saves a third of the time.

    def _root(self, name: str, attributes: list[str]) -> None:  # noqa: ARG002 - expat's signature
        if name != "GANGLIA_XML":
            raise MonitorLost(f"it does not speak Ganglia's XML, but <{name[:_LONGEST_NAME]}>")
        self._parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: list[str]) -> None:
        if name == "HOST":
            self._start_host(_named(attributes))
            return
        self._outside += 1
        if self._outside > MOST_OUTSIDE:
            raise MonitorLost(f"its XML has more than {MOST_OUTSIDE} elements around the hosts")
        if name == "CLUSTER":
            found = _named(attributes)
            cluster = found.get("NAME", "")[:_LONGEST_NAME]
            self._clusters.append(Cluster(cluster, _number("CLUSTER", found, "LOCALTIME")))

    def _start_host(self, found: dict[str, str]) -> None:
        if not self._clusters:
            raise MonitorLost("its XML has a host outside of all clusters")
        self._hosts += 1
        if self._hosts > MOST_HOSTS:
            raise MonitorLost(f"its XML has more than {MOST_HOSTS} hosts")
        self._last_host = self._parser.CurrentByteIndex
        self._host = _host(found)
        if len(self._host.name) <= _LONGEST_NAME:
            self._clusters[-1].hosts.append(self._host)
        self._parser.StartElementHandler = self._start_inside
        self._parser.EndElementHandler = self._end_inside

    def _start_inside(self, name: str, attributes: list[str]) -> None:
        if name != "METRIC" or "load_five" not in attributes:
            return
        found = _named(attributes)
        if found.get("NAME") == "load_five" and self._host is not None:
            self._host.load = _load(found.get("VAL", ""))
            self._parser.StartElementHandler = None

    def _end_inside(self, name: str) -> None:
        if name == "HOST":
            self._host = None
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = None


def _host(found: dict[str, str]) -> Host:
    """A host; a document with one number that is none is refused whole, since gmond writes none.

    The time since a sign of life is below zero when the collector's clock was set back: it is 0.
    """
    host = Host(
        name=found.get("NAME", ""),
        tn=max(_number("HOST", found, "TN"), 0),
        tmax=_number("HOST", found, "TMAX"),
        reported=_number("HOST", found, "REPORTED"),
        started=_number("HOST", {"GMOND_STARTED": "0", **found}, "GMOND_STARTED"),
    )
    if host.tmax <= 0:
        raise MonitorLost(f"its XML has a HOST with TMAX {host.tmax}")
    return host


def _named(attributes: list[str]) -> dict[str, str]:
    return dict(zip(attributes[::2], attributes[1::2], strict=True))


def _number(element: str, found: dict[str, str], name: str) -> int:
    text = found.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise MonitorLost(f"its XML has a {element} with {name} {text[:20]!r}")
    return int(text)


def _load(text: str) -> float | None:
    try:
        load = float(text)
    except ValueError:
        return None
    return load if isfinite(load) and load >= 0 else None


def _doctype(name: str, system: str | None, public: str | None, internal: bool) -> None:  # noqa: ARG001 - expat's signature
    if system is not None or public is not None:
        raise MonitorLost("its XML has a DTD elsewhere, which Ganglia's never has")


def _entity(*declaration: object) -> None:  # noqa: ARG001 - expat's signature
    raise MonitorLost("its XML declares an entity, which Ganglia's never does")
