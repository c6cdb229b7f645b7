"""Ganglia's XML as gmond and gmetad write it, read as a stream. Pure.

Whatever comes, memory stays bounded and nothing but MonitorLost is raised. Ganglia's own documents
carry a DTD, which may declare elements and attributes; one that declares entities, or points
elsewhere, is refused.

Source: the DTD that gmond 3.7 sends; gmond.c, gmetad/server.c and gmetad/process_xml.c.
"""

from __future__ import annotations

import re
import resource
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final
from xml.parsers import expat

from threerc.runtime.errors import MonitorLost

MOST_BYTES: Final = 512 * 2**20
MOST_HOSTS: Final = 200_000
MOST_CLUSTERS: Final = 10_000
MOST_BETWEEN: Final = 2 * 2**20
"""Bytes from one host to the next; a thousand metrics take 400 KiB. Expat reads a word again and
again until it has seen its end."""
MOST_MEMORY_KIB: Final = 256 * 2**10
"""By how much this process may grow meanwhile: expat keeps all names and all that is not closed,
at many times the size that it was sent in."""
_LONGEST_NAME: Final = 255
# gmond declares it, whatever bytes its hosts have sent.
_ENCODING: Final = "ISO-8859-1"
_STATM: Final = Path("/proc/self/statm")
_SIGNS: Final = (b"<CLUSTER", b"<HOST", b"load_five")
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}")


@dataclass(slots=True)
class Host:
    """A HOST: `tn` seconds since it was heard, `tmax` at most between two signs of life. `tn` is
    below zero when the collector's clock was set back since.

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
    """Reads a document chunk by chunk. All methods raise MonitorLost.

    Of 150 elements per host two matter. Calling Python for each would double the time, so expat
    calls only for those that begin at a place where one that matters may. Such places are found
    in the bytes; one too many does no harm, and the element is what expat says it is.
    """

    def __init__(self) -> None:
        self._clusters: list[Cluster] = []
        self._host: Host | None = None
        self._rooted = False
        self._bytes = 0
        self._place = 0
        self._last_host = 0
        self._hosts = 0
        self._memory = _memory_kib()
        self._parser = parser = expat.ParserCreate(_ENCODING)
        parser.ordered_attributes = True
        parser.specified_attributes = True
        parser.StartDoctypeDeclHandler = _doctype
        parser.EntityDeclHandler = _entity

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._bytes + len(data) > MOST_BYTES:
            raise MonitorLost(f"its XML does not end within {MOST_BYTES >> 20} MiB")
        if b"\0" in data:
            raise MonitorLost("its XML is binary, or in an encoding that Ganglia never uses")
        begin = 0
        for place in (*_places(data), len(data)):
            self._parse(data[begin:place])
            begin = place
        if self._bytes - self._last_host > MOST_BETWEEN:
            raise MonitorLost(f"its XML has no host within {MOST_BETWEEN >> 20} MiB")
        if _memory_kib() - self._memory > MOST_MEMORY_KIB:
            raise MonitorLost(f"its XML takes more than {MOST_MEMORY_KIB >> 10} MiB of memory")

    def close(self) -> list[Cluster]:
        """All clusters, after the last bytes."""
        if not self._bytes:
            raise MonitorLost("it says nothing: does it trust this host?")
        self._parse(b"", last=True)
        return self._clusters

    def _parse(self, data: bytes, *, last: bool = False) -> None:
        self._place = self._bytes
        self._bytes += len(data)
        self._parser.StartElementHandler = self._start
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise MonitorLost(f"its XML is broken: {error}") from None

    def _start(self, name: str, attributes: list[str]) -> None:
        # First comes what was begun in the bytes before: expat may keep these back.
        if self._parser.CurrentByteIndex >= self._place:
            self._parser.StartElementHandler = None
        if name == "METRIC":
            self._start_metric(_named(attributes))
        elif name == "HOST":
            self._start_host(_named(attributes))
        elif name == "CLUSTER":
            self._start_cluster(_named(attributes))
        elif not self._rooted and name != "GANGLIA_XML":
            raise MonitorLost(f"it does not speak Ganglia's XML, but <{name[:_LONGEST_NAME]}>")
        self._rooted = True

    def _start_cluster(self, found: dict[str, str]) -> None:
        if len(self._clusters) >= MOST_CLUSTERS:
            raise MonitorLost(f"its XML has more than {MOST_CLUSTERS} clusters")
        name = found.get("NAME", "")[:_LONGEST_NAME]
        self._clusters.append(Cluster(name, _number("CLUSTER", found, "LOCALTIME")))

    def _start_host(self, found: dict[str, str]) -> None:
        self._hosts += 1
        if self._hosts > MOST_HOSTS:
            raise MonitorLost(f"its XML has more than {MOST_HOSTS} hosts")
        if not self._clusters:
            raise MonitorLost("its XML has a host outside of all clusters")
        self._last_host = self._parser.CurrentByteIndex
        self._host = _host(found)
        if len(self._host.name) <= _LONGEST_NAME:
            self._clusters[-1].hosts.append(self._host)

    def _start_metric(self, found: dict[str, str]) -> None:
        if found.get("NAME") == "load_five" and self._host is not None:
            self._host.load = _load(found.get("VAL", ""))


def _places(data: bytes) -> list[int]:
    """Where in the data an element that matters may begin, or has just begun, in order."""
    found: list[int] = []
    for sign in _SIGNS:
        at = data.find(sign)
        while at >= 0:
            found.append(at)
            at = data.find(sign, at + 1)
    return sorted(found)


def _memory_kib() -> int:
    """What this process has in memory (Linux)."""
    pages = int(_STATM.read_bytes().split()[1])
    return pages * resource.getpagesize() >> 10


def _host(found: dict[str, str]) -> Host:
    """A host; a document with one number that is none is refused whole: gmond writes no such."""
    host = Host(
        name=found.get("NAME", ""),
        tn=_number("HOST", found, "TN"),
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
