"""Real etcd servers on this machine, which tests kill and start again."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

from tests.lab import LabError
from tests.lab.process import running, tail, wait_until

_READY_SECONDS: Final = 30


class Member:
    """One server; its data lies in `folder` and survives `kill`."""

    def __init__(self, folder: Path, scheme: str = "http") -> None:
        client, peer = free_ports(2)
        self.folder = folder
        self.url = f"{scheme}://127.0.0.1:{client}"
        self.peer = f"http://127.0.0.1:{peer}"
        self.process: Popen[bytes] | None = None
        self._stack = ExitStack()
        self._arguments: list[str] = []

    def start(self, members: Sequence[Member] = (), *arguments: str) -> None:
        """Run it; again, as it was run before."""
        self.folder.mkdir(exist_ok=True)
        if not self._arguments:
            self._arguments = self._command(members or [self], arguments)
        log = self.folder / "etcd.log"
        self.process = self._stack.enter_context(running(self._arguments, log))

    def _command(self, members: Sequence[Member], arguments: Sequence[str]) -> list[str]:
        path = shutil.which("etcd")
        if path is None:
            raise LabError("etcd not found (Debian: etcd-server)")
        cluster = ",".join(f"{each.folder.name}={each.peer}" for each in members)
        return [
            path,
            "--name", self.folder.name, "--data-dir", str(self.folder / "data"),
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
            "--initial-cluster", cluster, "--log-outputs", "stderr", *arguments,
        ]  # fmt: skip

    def wait(self) -> None:
        """Wait until it serves."""
        assert self.process is not None
        try:
            wait_until(self._serves, "it served", self.process, _READY_SECONDS)
        except LabError as error:
            raise LabError(f"etcd: {error}\n{tail(self.folder / 'etcd.log')}") from error

    def _serves(self) -> bool:
        if self.url.startswith("https:"):  # asked without a certificate it says nothing
            return b"ready to serve client requests" in (self.folder / "etcd.log").read_bytes()
        try:
            return bool(self.ask("kv/range", {"key": "AA=="}))
        except OSError as error:
            return isinstance(error, urllib.error.HTTPError) and error.code < 500

    def ask(self, method: str, body: Mapping[str, Any], token: str = "") -> Any:
        """Call it directly, as an administrator would."""
        headers = {"Authorization": token} if token else {}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/v3/{method}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return json.load(answer)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it for good."""
        self._stack.close()


@contextmanager
def etcd(folder: Path, *arguments: str, scheme: str = "http") -> Iterator[Member]:
    """A server of its own that is ready."""
    with cluster(folder, 1, *arguments, scheme=scheme) as (member,):
        yield member


@contextmanager
def cluster(
    folder: Path, size: int, *arguments: str, scheme: str = "http"
) -> Iterator[list[Member]]:
    """Servers that form a cluster and are ready."""
    members = [Member(folder / f"etcd{number}", scheme) for number in range(size)]
    with ExitStack() as stack:
        for member in members:
            stack.callback(member.close)
            member.start(members, *arguments)
        for member in members:
            member.wait()
        yield members


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
