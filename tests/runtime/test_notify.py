"""Notification by a real command and to a real web server; a failure is a line in the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.runtime.monitors.support import saying, serving, trickling
from tests.runtime.tiny_world import config
from threerc.runtime.config import Notify
from threerc.runtime.notify import tell
from threerc.runtime.real import RealWorld
from threerc.runtime.stores.directory import DirectoryStore

EVENT = {"vm": "gridce", "kind": "action", "reason": "dòwn; $(reboot) \"'"}
STATUS = {"/ok": 204, "/broken": 500}


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    told: list[str]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.told.append(self.rfile.read(length).decode())
        self.send_response(STATUS[self.path])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Hook.told = []
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server: HTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_a_command_gets_the_event(tmp_path: Path) -> None:
    tell(Notify(command=("tee", str(tmp_path / "$(touch x) event"))), EVENT)
    assert json.loads((tmp_path / "$(touch x) event").read_text()) == EVENT


def test_a_webhook_gets_the_event(server: HTTPServer) -> None:
    tell(Notify(webhook=url(server, "/ok")), EVENT)
    assert list(map(json.loads, Hook.told)) == [EVENT]


@pytest.mark.parametrize("command", [("no-such-program",), ("false",)])
def test_a_command_that_fails_is_logged(
    command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    tell(Notify(command=command), EVENT)
    assert len(caplog.messages) == 1
    assert command[0] in caplog.messages[0]


def test_a_webhook_that_fails_is_logged(
    server: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    tell(Notify(webhook=url(server, "/broken")), EVENT)
    tell(Notify(webhook="http://127.0.0.1:1/"), EVENT)
    assert caplog.messages == [
        f"the webhook at http://127.0.0.1:{server.server_port} answers 500",
        "the webhook at http://127.0.0.1:1 was not told: Connection refused",
    ]


def test_a_webhook_that_drips_is_left_in_time(caplog: pytest.LogCaptureFixture) -> None:
    """Its bytes come faster than any time-out between two of them."""
    with serving(trickling(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 90)) as port:
        tell(Notify(webhook=f"http://127.0.0.1:{port}/"), EVENT, 0.4)
    assert len(caplog.messages) == 1
    assert "no whole answer within 0.4 s" in caplog.messages[0]


@pytest.mark.parametrize("path", ["/broken/SECRET?token=SECRET", "/"])
def test_what_is_secret_in_a_webhook_is_not_logged(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as port:
        tell(Notify(webhook=f"http://user:SECRET@127.0.0.1:{port}{path}"), EVENT)
    tell(Notify(webhook=f"http://user:SECRET@127.0.0.1:1{path}"), EVENT)
    tell(Notify(webhook=f"http://user:SECRET@[x{path}"), EVENT)
    assert len(caplog.messages) == 3
    assert "SECRET" not in caplog.text


def test_what_is_not_sent_in_time_is_said_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those under way may still be told; of the others nobody hears but in the next tick."""
    monkeypatch.setattr("threerc.runtime.real._TELL_SECONDS", 0.5)
    monkeypatch.setattr("threerc.runtime.threads.MOST", 2)
    monkeypatch.setattr("threerc.runtime.threads.MOST_HANGING", 0)
    DirectoryStore.create(tmp_path / "ha")
    settings = {"command": ("sleep", "5")}
    world = RealWorld(config(state_directory=str(tmp_path / "ha"), notify=settings), "bibe")
    left = world.tell([{"n": n} for n in range(5)])
    assert left == [{"n": n} for n in (2, 3, 4)]
    (said,) = caplog.messages
    assert said == (
        "5 of 5 notifications were not over within 0.5 s; 3 of them, not begun, wait for the next "
        "tick"
    )
