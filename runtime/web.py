"""HTTP, each exchange within a time that counts from its begin to its end.

The time-outs of sockets, and of the usual libraries with them, begin anew with every byte: a server
that sends one now and then holds its client for ever. There is no proxy and no redirect. It tells
what was never sent from what may have been done, which a compare-and-swap has to know.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

MOST_BYTES: Final = 16 * 2**20
"""Of one answer; 10,000 hosts take Prometheus about 1 MiB."""
_LONGEST_REASON: Final = 200


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes


class NoAnswer(Exception):
    """There is none; the text says why. `sent`: the request may have reached the server."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(" ".join(reason.split())[:_LONGEST_REASON])
        self.sent = sent


def shown(url: str) -> str:
    """A URL for people: who it is, without user, password, path and query. Those may be secret."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "a URL that is none"
    return f"{parts.scheme}://{host}{port}"


class Server:
    """One HTTP server, by the URL below which all is asked. Any thread may ask.

    `connect` is how long it may take to connect, if that is less than all may take.
    """

    def __init__(
        self, url: str, tls: ssl.SSLContext | None = None, connect: float | None = None
    ) -> None:
        self._url = url
        self._tls = tls
        self._connect = connect
        self._idle: list[HTTPConnection] = []

    def close(self) -> None:
        """Hang up."""
        while (connection := self._waiting()) is not None:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        seconds: float,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for what is at `path` (empty: the URL itself). Raises NoAnswer."""
        end = time.monotonic() + seconds
        connection, target, login = self._connected(path, end)
        with _told(sent=True), _hung_up(connection, end, seconds):
            sent = None if body is None else body.encode()
            connection.request(method, target, sent, {**login, **(headers or {})})
            with connection.getresponse() as response:
                answer = Answer(response.status, response.read(MOST_BYTES + 1))
                if len(answer.body) > MOST_BYTES:
                    raise ValueError(f"its answer is larger than {MOST_BYTES >> 20} MiB")
                if response.length:
                    raise ValueError("its answer is cut short")
        if connection.sock is not None:
            self._idle.append(connection)
        return answer

    def _connected(self, path: str, end: float) -> tuple[HTTPConnection, str, Mapping[str, str]]:
        """A connection; what to ask for; and the URL's user and password as a header."""
        with _told(sent=False):
            parts = urlsplit(self._url)
            query = f"?{parts.query}" if parts.query else ""
            target = parts.path.rstrip("/") + path if path else (parts.path or "/") + query
            login = {}
            if parts.username is not None:
                pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                login["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
            return self._kept() or self._new(parts, end), target, login

    def _kept(self) -> HTTPConnection | None:
        """One from before, on which the server has not hung up."""
        while (connection := self._waiting()) is not None:
            said = select.poll()
            said.register(connection.sock, select.POLLIN)
            if not said.poll(0):
                return connection
            connection.close()
        return None

    def _waiting(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:  # also where another thread has just taken the last one
            return None

    def _new(self, parts: SplitResult, end: float) -> HTTPConnection:
        left = max(end - time.monotonic(), 0.001)
        left = left if self._connect is None else min(left, self._connect)
        where = (parts.hostname or "", parts.port)
        if parts.scheme == "https":
            connection: HTTPConnection = HTTPSConnection(*where, timeout=left, context=self._tls)
        else:
            connection = HTTPConnection(*where, timeout=left)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def _told(*, sent: bool) -> Iterator[None]:
    """Whatever goes wrong, as NoAnswer."""
    try:
        yield
    except TimeoutError as error:
        raise NoAnswer(str(error) or "timed out", sent=sent) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoAnswer(reason, sent=sent) from error


@contextmanager
def _hung_up(connection: HTTPConnection, end: float, seconds: float) -> Iterator[None]:
    """Hang up at `end`, and when anything goes wrong. Raises TimeoutError."""
    open_socket, late = connection.sock, threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)

    open_socket.settimeout(max(end - time.monotonic(), 0.001))
    watch = threading.Timer(end - time.monotonic(), cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    except BaseException as error:
        connection.close()
        if late.is_set() or isinstance(error, TimeoutError):  # what is cut off ends in many ways
            raise TimeoutError(f"no whole answer within {seconds:g} s") from None
        raise
    finally:
        watch.cancel()
    if late.is_set():
        connection.close()
        raise TimeoutError(f"no whole answer within {seconds:g} s")
