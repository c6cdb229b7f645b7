"""The install server: HTTP of the compiled files, and an ear for machines that install themselves.

    python -m threerc.testbed.install_server --documents /srv/install

GET and HEAD answer with the files below the document root; there are no listings. A machine of the
site that installs itself says so twice, from the address that it boots with:

POST /3rc/begin
    Answers with a token. An earlier one of the same machine is void from then on.
POST /3rc/installed/TOKEN
    The machine is installed: its boot links go back to what is declared, and the controllers are
    told, where this host is one of theirs. A token is good for one such report. Where it could not
    be carried out, the answer is 503, the token stays good, and the machine tries again.

The links are those of /etc/3rc/boot.hosts, so it runs on the TFTP host, as who may write them. What
it serves is open to the whole boot network, as with any other HTTP server in its place.
"""

from __future__ import annotations

import argparse
import ctypes
import hmac
import os
import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, NamedTuple

from threerc.runtime.bootlinks import BootHost, BootLinks, point
from threerc.runtime.config import load
from threerc.runtime.errors import ControllerError
from threerc.runtime.operators import installed
from threerc.runtime.stores import open_store

_BEGIN: Final = "/3rc/begin"
_INSTALLED: Final = "/3rc/installed/"
_CONTROLLER: Final = "etc/3rc/controller.yaml"
_IDLE_SECONDS: Final = 60
"""After so long without a word from a client, its connection is closed."""
_MOST_BYTES: Final = 1 << 16
_LIBC: Final = ctypes.CDLL(None)


class Answer(NamedTuple):
    """What a report is answered with."""

    status: HTTPStatus
    text: str


@dataclass
class Reports:
    """The machines that install themselves, on the host whose file system is at `root`."""

    root: Path
    tokens: dict[str, str] = field(default_factory=dict)
    """The token of each machine that has begun, by its address."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, address: str) -> Answer:
        """A machine begins to install itself."""
        try:
            host = self._host(BootLinks.load(self.root), address)
        except ControllerError as error:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if host is None:
            return Answer(HTTPStatus.FORBIDDEN, f"no machine of the site boots with {address}")
        token = secrets.token_urlsafe(24)
        with self._lock:
            self.tokens[address] = token
        return Answer(HTTPStatus.OK, token)

    def installed(self, address: str, token: str) -> Answer:
        """A machine is installed."""
        # One report at a time: of two with the same token, the second one is told so.
        with self._lock:
            known = self.tokens.get(address, "")
            if not known or not hmac.compare_digest(known.encode(), token.encode()):
                return Answer(HTTPStatus.FORBIDDEN, "this token is not, or no longer, good")
            try:
                said = self._carry_out(address)
            except (ControllerError, OSError) as error:
                return Answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            del self.tokens[address]
            return Answer(HTTPStatus.OK, said)

    def _carry_out(self, address: str) -> str:
        links = BootLinks.load(self.root)
        host = self._host(links, address)
        if host is None:
            raise ControllerError(f"no machine of the site boots with {address} any more")
        for each in links.find([host.name]):
            point(links.folder / each.link, _afterwards(each))
        try:
            said = self._tell(host.name)
        except (ControllerError, OSError) as error:
            # They see by themselves that the machine is up, later.
            said = f"the controllers could not be told: {error}"
        return f"{host.name} boots {_afterwards(host)}; {said}"

    def _tell(self, name: str) -> str:
        path = self.root / _CONTROLLER
        if not path.exists():
            return "no controller is here to be told"
        config = load(path)
        if name not in config.virtual_machines:
            return "no virtual machine: the controllers do not care"
        with _as_the_owner_of(Path(config.state_directory)):
            return installed(open_store(config), config, name)

    @staticmethod
    def _host(links: BootLinks, address: str) -> BootHost | None:
        name = f"{int(IPv4Address(address)):08X}"
        return next((e for each in links.hosts.values() for e in each if e.link == name), None)


@contextmanager
def _as_the_owner_of(folder: Path) -> Iterator[None]:
    """Use files as a folder's owner does: what root writes there, the controllers could not read.

    Of all threads, this one alone does so. Source: setfsuid(2).
    """
    if os.geteuid() != 0:
        yield
        return
    owner = folder.stat()
    _LIBC.setfsgid(owner.st_gid)
    _LIBC.setfsuid(owner.st_uid)
    try:
        yield
    finally:
        _LIBC.setfsuid(0)
        _LIBC.setfsgid(0)


def _afterwards(host: BootHost) -> str:
    """What an installed host boots: what is declared, unless that would install it for ever."""
    return "local" if host.declared == host.install else host.declared


class Handler(SimpleHTTPRequestHandler):
    """One request."""

    server_version = "3RC"
    sys_version = ""
    timeout = _IDLE_SECONDS

    def __init__(self, *arguments: object, reports: Reports, directory: str) -> None:
        self.reports = reports
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        """Take a report."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MOST_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        self.rfile.read(int(length))
        address = str(self.client_address[0])
        if self.path == _BEGIN:
            answer = self.reports.begin(address)
        elif self.path.startswith(_INSTALLED):
            answer = self.reports.installed(address, self.path.removeprefix(_INSTALLED))
        else:
            answer = Answer(HTTPStatus.NOT_FOUND, f"there is only {_BEGIN} and {_INSTALLED}TOKEN")
        if answer.status is not HTTPStatus.OK:
            self.log_message("%s", answer.text)
        body = f"{answer.text}\n".encode()
        self.send_response(answer.status, None if answer.status is HTTPStatus.OK else answer.text)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list_directory(self, path: object) -> None:
        """Keep to oneself what there is."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log a request, but no token."""
        shown = code.value if isinstance(code, HTTPStatus) else code
        path = _INSTALLED if self.path.startswith(_INSTALLED) else self.path
        self.log_message("%s %s %s %s", self.command, path, shown, size)


class InstallServer(ThreadingHTTPServer):
    """An install server, ready as soon as it is made; `serve_forever` serves."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bind: str, port: int, documents: Path, root: Path) -> None:
        handler = partial(Handler, reports=Reports(root), directory=str(documents))
        super().__init__((bind, port), handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended; the exit status where it cannot."""
    parser = argparse.ArgumentParser(prog="install_server", description="Serve installations.")
    parser.add_argument("--documents", type=Path, required=True, help="the document root")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where /etc/3rc is below")
    parser.add_argument("--bind", default="0.0.0.0", help="the address to serve at")  # noqa: S104
    parser.add_argument("--port", type=int, default=80, help="the port to serve at")
    chosen = parser.parse_args(arguments)
    try:
        server = InstallServer(chosen.bind, chosen.port, chosen.documents, chosen.root)
    except OSError as error:
        sys.stderr.write(f"install_server: {chosen.bind}:{chosen.port}: {error.strerror}\n")
        return 1
    sys.stderr.write(f"install_server: serves {chosen.documents} at {chosen.bind}:{chosen.port}\n")
    with server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
