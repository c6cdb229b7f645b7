"""Servers on loopback that say what a test wants, and Ganglia's XML made of plain data."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

GOLDEN = Path(__file__).with_name("golden")
Talk = Callable[[socket.socket, threading.Event], None]


@contextmanager
def serving(talk: Talk) -> Iterator[int]:
    """A server that talks to whoever connects; gives its port. `talk` is told when to end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        thread = threading.Thread(target=_serve, args=(listener, talk, over))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


def _serve(listener: socket.socket, talk: Talk, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.settimeout(None)
            with connection:
                talk(connection, over)


def saying(data: bytes) -> Talk:
    """Says it all at once, and ends."""
    return lambda connection, _: connection.sendall(data)


def hang(connection: socket.socket, over: threading.Event) -> None:  # noqa: ARG001 - a Talk
    """Accepts, and says nothing."""
    over.wait()


def trickling(data: bytes) -> Talk:
    """Says a byte now and then, for ever."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        sent = 0
        while not over.wait(0.01):
            connection.sendall(data[sent % len(data) :][:1])
            sent += 1

    return talk


def without_end(begin: bytes, again: bytes) -> Talk:
    """Says the same for ever, as fast as it is read."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(begin)
        while not over.is_set():
            connection.sendall(again)

    return talk


@dataclass(frozen=True)
class Told:
    """What Ganglia's XML is to say of one host."""

    name: str
    tn: int | str = 5
    tmax: int | str = 20
    reported: int | str = 995
    started: int | None = 100
    load: str | None = "1.50"


def host_xml(host: Told) -> str:
    started = "" if host.started is None else f' GMOND_STARTED="{host.started}"'
    metric = "" if host.load is None else metric_xml("load_five", host.load)
    return (
        f'<HOST NAME={quoteattr(host.name)} IP="192.0.2.1" REPORTED="{host.reported}" '
        f'TN="{host.tn}" TMAX="{host.tmax}" DMAX="0"{started}>\n'
        f"{metric_xml('load_one', '9.00')}{metric}{metric_xml('os_name', 'Linux')}</HOST>\n"
    )


def metric_xml(name: str, value: str) -> str:
    return (
        f'<METRIC NAME="{name}" VAL={quoteattr(value)} TYPE="float" SLOPE="both">\n<EXTRA_DATA>\n'
        f'<EXTRA_ELEMENT NAME="GROUP" VAL="load"/>\n</EXTRA_DATA>\n</METRIC>\n'
    )


def cluster_xml(hosts: Sequence[Told], name: str = "SNS-Pisa", localtime: int | str = 1000) -> str:
    body = "".join(map(host_xml, hosts))
    return f'<CLUSTER NAME={quoteattr(name)} LOCALTIME="{localtime}" OWNER="o">\n{body}</CLUSTER>\n'


def document(*clusters: str) -> bytes:
    """A whole answer, with the DTD that a gmond sends."""
    dtd = (GOLDEN / "gmond.xml").read_text("iso-8859-1").partition("<GANGLIA_XML ")[0]
    body = f'<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">\n{"".join(clusters)}</GANGLIA_XML>\n'
    return (dtd + body).encode("iso-8859-1")
