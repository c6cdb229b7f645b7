"""Notification by a real command and to a real web server; a failure is a line in the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from threerc.runtime.config import Notify
from threerc.runtime.notify import tell

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
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "the webhook was not told"
    ] * 2
