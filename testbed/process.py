"""Programs: finding them, and waiting for the end of their processes without a thread for each."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from threerc.testbed.errors import TestbedError

PACKAGES: Final = {
    "cron": "cron",
    "dhcpd": "isc-dhcp-server",
    "flock": "util-linux",
    "fping": "fping",
    "gmetad": "gmetad",
    "gmond": "ganglia-monitor",
    "in.tftpd": "tftpd-hpa",
    "ipmi_sim": "openipmi",
    "ipmitool": "ipmitool",
    "kea-dhcp4": "kea-dhcp4-server",
    "libvirtd": "libvirt-daemon-system",
    "mmdebstrap": "mmdebstrap",
    "named": "bind9",
    "nft": "nftables",
    "nsenter": "util-linux",
    "pgrep": "procps",
    "ping": "iputils-ping",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "radvd": "radvd",
    "runuser": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "stdbuf": "coreutils",
    "tini": "tini",
    "unshare": "util-linux",
    "useradd": "passwd",
    "virsh": "libvirt-clients",
    "virtlogd": "libvirt-daemon-system",
}
"""The Debian package of each program that a testbed may need."""
FOLDERS: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT: Final = {"PATH": FOLDERS, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "linux"}
"""What a daemon has in its environment, whoever started the testbed."""
_TAIL_CHARACTERS: Final = 2000


def program(name: str) -> str:
    """The path of a program; TestbedError names the Debian package of a missing one."""
    path = shutil.which(name, path=FOLDERS)
    if path is None:
        package = PACKAGES.get(name)
        raise TestbedError(f"{name} not found" + (f" (Debian: {package})" if package else ""))
    return path


class Process:
    """A child process. Signals reach it and no other, also when its id was given anew."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.STDOUT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=None if environment is None else {**ENVIRONMENT, **environment},
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.stdin = self._process.stdin
        self.stdout = self._process.stdout
        self.stderr = self._process.stderr
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._descriptor = os.pidfd_open(self.pid)
        loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        status = self._process.wait()
        if not self._ended.done():
            self._ended.set_result(status)

    @property
    def status(self) -> int | None:
        """How it ended; minus a signal's number if that ended it; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Its end, as in `status`."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        if self.status is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def go_on(self) -> None:
        """Let it go on if it was stopped, which nsenter is with the program that it has started."""
        if self.status is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGCONT)

    def child(self) -> int | None:
        """Its first child, where it has one."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            found = children.read_text(encoding="ascii").split()
        except OSError:
            return None
        return int(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ran to its end."""

    status: int
    output: bytes
    errors: bytes


async def call(
    command: Sequence[str], data: bytes = b"", environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a program to its end; if this is cancelled, it is killed."""
    pipe = subprocess.PIPE
    process = Process(command, stdin=pipe, stdout=pipe, stderr=pipe, environment=environment or {})
    assert process.stdin is not None  # noqa: S101 - they are pipes
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    try:
        _, output, errors = await asyncio.gather(
            feed(process.stdin, data), drain(process.stdout), drain(process.stderr)
        )
        return Ended(await process.wait(), output, errors)
    finally:
        process.kill()


async def feed(pipe: IO[bytes], data: bytes) -> None:
    """Write all of it to a program, as far as it reads, and close the pipe."""
    loop = asyncio.get_running_loop()
    with suppress(BrokenPipeError, ConnectionResetError):
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        writer.write(data)
        await writer.drain()
        writer.close()


async def drain(pipe: IO[bytes]) -> bytes:
    """All that is written to a pipe, until nobody has it open any more."""
    async with _reading(pipe) as reader:
        return await reader.read()


async def first_line(pipe: IO[bytes]) -> bytes:
    """The first line that is written to a pipe."""
    async with _reading(pipe) as reader:
        return await reader.readline()


@asynccontextmanager
async def _reading(pipe: IO[bytes]) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        yield reader
    finally:
        transport.close()


def tail(log: Path) -> str:
    """The end of a log under its name, for a message about a failure."""
    try:
        text = log.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        text = str(error)
    return f"--- {log}\n{text[-_TAIL_CHARACTERS:].strip()}"
