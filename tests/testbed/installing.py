"""A small site whose machine installs itself: its compiled files, its daemons, and the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.compiler.support import TODAY
from tests.lab import (
    LabError,
    Machine,
    Namespace,
    dhcpd,
    machine,
    namespace,
    router_advertisements,
    tftpd,
)
from tests.lab.process import printed, running, tail, wait_until
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks
from threerc.testbed.images import ImageName, Images

SERVER, ADDRESS, MAC, NAME = "192.168.1.2", "192.168.1.11", "52:54:00:00:01:0b", "wn001"
SITE: Final = """\
site: lab
domain: example.org
networks:
  lan: {{prefix: 192.168.1.0/24, boot: true}}
administrators: {{tester: {key}}}
os_profiles:
  tiny:
    installer: image
    kernel: tiny/vmlinuz
    initrd: tiny/initrd
    image: http://server.example.org/images/image.tar.gz
    arguments: [console=ttyS0]
    disk: {disk}
middleware:
  base: {{scripts: [base.sh]}}
service_hosts:
  server: {{address: 192.168.1.2, roles: [dhcp, tftp, dns, install, collector]}}
worker_nodes:
  {name}: {{address: {address}, mac: "{mac}", os: tiny, middleware: base}}
"""
# What a site's own script is: it leaves a file that says what it was told.
MIDDLEWARE: Final = "#!/bin/sh\necho base on $(uname -n) >/root/middleware\n"
NAMED: Final = """
mount --bind "$1" /etc/bind
mount -t tmpfs none /var/cache/bind
mount -t tmpfs none /run
exec named -4 -g
"""
_COLLECTED: Final = """
import socket
with socket.create_connection(("127.0.0.1", 8649)) as link, link.makefile() as xml:
    print(xml.read())
"""
INSTALL_SECONDS: Final = 240
BOOT_SECONDS: Final = 120
_SSH: Final = (
    *("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "LogLevel=ERROR", "-l", "root"),
)


@dataclass
class Lab:
    """The site's server, running, and an empty disk for its one machine."""

    net: Namespace
    server: Path
    key: Path
    disk: Path
    images: Images
    bus: Sequence[str]

    @property
    def links(self) -> BootLinks:
        """The boot links of the server."""
        return BootLinks.load(self.server)

    @property
    def public(self) -> str:
        """The key that may log in."""
        return self.key.with_suffix(".pub").read_text()

    @property
    def boots(self) -> str | None:
        """What the machine boots next."""
        (host,) = self.links.find([NAME])
        return self.links.show(host)["boots"]

    def install(self) -> None:
        """Let the machine install itself when it boots next."""
        self.links.switch(self.links.find([NAME]), "install")

    @contextmanager
    def switched_on(self, name: str, *arguments: str, memory: int = 256) -> Iterator[Machine]:
        """The machine, with its disk and with QEMU's further `arguments`."""
        disk = f"file={self.disk},format=raw,if=none,id=disk,cache=unsafe"
        more = ["-drive", disk, *self.bus, *arguments]
        with machine(self.net, mac=MAC, name=name, memory=memory, arguments=more) as host:
            yield host

    def installed(self, host: Machine, seconds: float = INSTALL_SECONDS) -> list[str]:
        """Wait until a machine has installed itself; its phases, as its console told them."""
        self.wait(
            host,
            lambda: host.said("3RC-INSTALL installed") or host.said("3RC-INSTALL failed"),
            seconds,
        )
        found = phases(host)
        assert not host.said("3RC-INSTALL failed"), found
        return found

    def wait(self, host: Machine, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds while the machine runs; LabError shows its console."""
        try:
            wait_until(condition, "it was so", host.process, seconds)
        except LabError as error:
            raise LabError(f"{error}\n{tail(host.console)}") from error

    def up(self, host: Machine, seconds: float = BOOT_SECONDS) -> float:
        """Wait until the machine answers ssh; how long after power-on it did."""
        self.wait(host, lambda: self.ssh("true").returncode == 0, seconds)
        return time.monotonic() - host.started

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the machine."""
        return ssh(self.net, self.key, command)

    def told(self, command: str) -> str:
        """What a command on the machine prints; it has to succeed."""
        result = self.ssh(command)
        assert result.returncode == 0, (command, result.stderr)
        return result.stdout.strip()

    def collected(self) -> bool:
        """Whether the collector has heard of the machine; in here it knows addresses alone."""
        command = ["ip", "netns", "exec", self.net.name, sys.executable, "-c", _COLLECTED]
        return f'IP="{ADDRESS}"' in subprocess.check_output(command, text=True)

    def seen(self, host: Machine, seconds: float = BOOT_SECONDS) -> None:
        """Wait until the machine is in the collector's XML."""
        self.wait(host, self.collected, seconds)


def ssh(net: Namespace, key: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the machine, as root, with a key that may log in."""
    full = ["ip", "netns", "exec", net.name, *_SSH, "-i", str(key), ADDRESS, command]
    return subprocess.run(full, capture_output=True, text=True, check=False, timeout=60)


def phases(host: Machine) -> list[str]:
    """What the installer has said on a machine's console."""
    said = printed(host.console).splitlines()
    return [line.split(maxsplit=1)[1] for line in said if line.startswith("3RC-INSTALL ")]


@contextmanager
def lab(work: Path, cache: Path, image: ImageName, *, disk: str = "sda") -> Iterator[Lab]:
    """The site with a machine whose disk is `disk`: sda over virtio-scsi, vda, or hda."""
    images = Images.of(image, cache=cache, say=print)
    key = work / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server = _compiled(work, key, "sda" if disk == "hda" else disk)
    _put(images, server)
    empty = work / "disk.img"
    with empty.open("wb") as file:
        file.truncate(20 << 30)
    with _served(work, server) as net:
        yield Lab(net, server, key, empty, images, _BUSES[disk])


_BUSES: Final = {
    "sda": ("-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=disk"),
    "vda": ("-device", "virtio-blk-pci,drive=disk"),
    "hda": ("-device", "ide-hd,drive=disk"),
}


def _compiled(work: Path, key: Path, disk: str) -> Path:
    site = work / "site.yaml"
    public = key.with_suffix(".pub").read_text().strip()
    site.write_text(SITE.format(key=public, disk=disk, name=NAME, address=ADDRESS, mac=MAC))
    (work / "base.sh").write_text(MIDDLEWARE)
    report = build(site, Options(out=work / "out", today=TODAY, strict=True))
    assert not report.tree.left_out
    return report.out / "server"


def _put(images: Images, server: Path) -> None:
    """Put the images where a person would."""
    (server / "srv/tftp/tiny").mkdir()
    shutil.copy(images.kernel, server / "srv/tftp/tiny/vmlinuz")
    shutil.copy(images.initrd, server / "srv/tftp/tiny/initrd")
    (server / "srv/install/images").mkdir()
    (server / "srv/install/images/image.tar.gz").symlink_to(images.image)


@contextmanager
def _served(work: Path, server: Path) -> Iterator[Namespace]:
    gmond = ["gmond", "-f", "-c", str(_collector(server, work))]
    with (
        namespace(work / "lab", f"{SERVER}/24") as net,
        dhcpd(net, server / "etc/dhcp/dhcpd.conf"),
        tftpd(net, server / "srv/tftp"),
        router_advertisements(net),
        named(net, server),
        _listening(net, "gmond", gmond, "8649"),
        install_server(net, server),
    ):
        yield net


@contextmanager
def named(net: Namespace, server: Path) -> Iterator[None]:
    """The name server with the compiled files, over those that Debian has."""
    bind = net.work / "bind"
    shutil.copytree("/etc/bind", bind)
    shutil.copytree(server / "etc/bind", bind, dirs_exist_ok=True)
    command = ["unshare", "-m", "sh", "-ec", NAMED, "sh", str(bind)]
    with _listening(net, "named", command, "53"):
        yield


@contextmanager
def install_server(net: Namespace, server: Path) -> Iterator[None]:
    """The install server with the compiled files."""
    command = [
        *(sys.executable, "-m", "threerc.testbed.install_server"),
        *("--documents", str(server / "srv/install"), "--root", str(server)),
    ]
    with _listening(net, "install", command, "80"):
        yield


def _collector(server: Path, work: Path) -> Path:
    """The collector's gmond.conf, for a gmond that may not change its user in here."""
    changed = work / "gmond.conf"
    text = (server / "etc/ganglia/gmond.conf").read_text()
    changed.write_text(text.replace("setuid = yes", "setuid = no"))
    return changed


@contextmanager
def _listening(net: Namespace, name: str, command: list[str], port: str) -> Iterator[None]:
    log = net.work / f"{name}.log"
    inside = ["ip", "netns", "exec", net.name]
    asked = [*inside, "ss", "-Hltn", f"sport = :{port}"]
    with running([*inside, *command], log) as process:
        wait_until(
            lambda: bool(subprocess.run(asked, capture_output=True, check=True).stdout),
            f"port {port} was open\n{tail(log)}",
            process,
            20,
        )
        yield
