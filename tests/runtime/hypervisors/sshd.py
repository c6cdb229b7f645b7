"""Real sshds with the forced command, each for a physical host of its own processes and /run."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from tests.lab import LabError
from tests.lab.process import running, tail, wait_until
from threerc.compiler.templating import render

SSHD: Final = "/usr/sbin/sshd"
READY_SECONDS: Final = 20
# sshd's own processes, a /run to write to, and all that a session leaves behind dies with it.
OWN: Final = ("unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c")
START: Final = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$0" "$@"'


@dataclass(frozen=True)
class Keys:
    """The controller's key, every host's key, and known_hosts as the compiler writes it."""

    user: Path
    host: Path
    known_hosts: Path

    @classmethod
    def make(cls, work: Path, hosts: Sequence[str]) -> Keys:
        work.mkdir(parents=True, exist_ok=True)
        user, host = work / "user_key", work / "host_key"
        for path in (user, host):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
            subprocess.run(command, check=True)
        public = host.with_suffix(".pub").read_text().strip()
        known = work / "known_hosts"
        known.write_text("".join(f"{host} {public}\n" for host in hosts))
        return cls(user, host, known)


def install_wrapper(folder: Path) -> Path:
    """The forced command of a host that is of all kinds at once."""
    kinds = {"libvirt", "vmware", "xen"}
    site = SimpleNamespace(site="test")
    path = folder / "3rc-allow"
    path.write_text(render("forced_command", site=site, kinds=kinds, mirrored=True, tftp=True))
    return path


def settings(work: Path, keys: Keys, address: str, port: int, path: str, more: str = "") -> Path:
    """An sshd_config that lets only the controller's key in, and it only to the wrapper."""
    work.mkdir(parents=True, exist_ok=True)
    authorized = work / "authorized_keys"
    public = keys.user.with_suffix(".pub").read_text()
    authorized.write_text(f'command="sh {install_wrapper(work)}",restrict {public}{more}')
    config = work / "sshd_config"
    config.write_text(
        f"ListenAddress {address}\nPort {port}\nHostKey {keys.host}\n"
        f"AuthorizedKeysFile {authorized}\nStrictModes no\nPidFile none\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nSetEnv PATH={path} HOME={work}\n"
    )
    return config


@contextmanager
def sshd(config: Path, address: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """An sshd from when it listens; it is process 1 of its own."""
    if shutil.which(SSHD) is None:
        raise LabError("sshd not found (Debian: openssh-server)")
    log = config.with_name("sshd.log")
    command = [*OWN, START, SSHD, "-D", "-e", "-f", str(config)]
    with running(command, log) as process:
        try:
            wait_until(lambda: listens(address, port), "it listened", process, READY_SECONDS)
        except LabError as error:
            raise LabError(f"sshd: {error}\n{tail(log)}") from error
        yield process
        # unshare does not end when it is asked to.
        process.kill()


def listens(address: str, port: int) -> bool:
    """Whether something takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def free_port(addresses: Sequence[str]) -> int:
    """A port that nobody listens on at any of these addresses."""
    for _ in range(50):
        with socket.socket() as probe:
            probe.bind((addresses[0], 0))
            port = int(probe.getsockname()[1])
        if not any(listens(address, port) for address in addresses):
            return port
    raise LabError("no free port")
