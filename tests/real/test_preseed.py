"""Debian's own installer, which is told by the compiled preseed what to do: see docs/testing.md."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import TODAY
from tests.lab import (
    LabError,
    Machine,
    Namespace,
    dhcpd,
    machine,
    namespace,
    requires_real,
    router_advertisements,
    tftpd,
)
from tests.lab.debian import Debian, debian
from tests.lab.process import tail, wait_until
from tests.testbed.installing import install_server, named
from threerc.compiler.build import Options, build

pytestmark = [
    requires_real(),
    pytest.mark.skipif(not os.environ.get("THREERC_LONG"), reason="takes minutes: THREERC_LONG=1"),
]

MAC: Final = "52:54:00:00:01:0b"
# Nothing is reached but the site's own server: its network has no gateway.
SITE: Final = """\
site: lab
domain: example.org
networks:
  lan: {{prefix: 192.168.1.0/24, boot: true}}
os_profiles:
  debian:
    installer: preseed
    release: {suite}
    kernel: debian/linux
    initrd: debian/initrd.gz
    repository: http://server.example.org/debian
    # A question then ends with a prompt on a line of the console.
    arguments: [console=ttyS0, DEBIAN_FRONTEND=text]
service_hosts:
  server: {{address: 192.168.1.2, roles: [dhcp, tftp, dns, install]}}
worker_nodes:
  wn001: {{address: 192.168.1.11, mac: "52:54:00:00:01:0b", os: debian, boot: install}}
"""
QUESTIONS: Final = ("Prompt: '?' for help", "[Press enter to continue]")
# A second card, which no network is behind.
HARDWARE: Final = ("-smp", "2", "-device", "e1000,mac=52:54:00:00:99:99")
MEMORY: Final = 1024
LOADING_SECONDS: Final = 1200


@pytest.fixture
def release(pytestconfig: pytest.Config) -> Debian:
    """This machine's Debian; what is fetched is kept from one run of the tests to the next."""
    return debian(pytestconfig.cache.mkdir("threerc-debian"))


@contextmanager
def switched_on(work: Path, release: Debian) -> Iterator[tuple[Namespace, Machine]]:
    """A small site, compiled and served, and its machine, which boots the installer."""
    server = compiled(work, release)
    with (
        namespace(work / "lab", "192.168.1.2/24") as net,
        dhcpd(net, server / "etc/dhcp/dhcpd.conf"),
        tftpd(net, server / "srv/tftp"),
        router_advertisements(net),
        named(net, server),
        install_server(net, server),
        machine(net, mac=MAC, memory=MEMORY, arguments=HARDWARE) as host,
    ):
        yield net, host


def compiled(work: Path, release: Debian) -> Path:
    """The server's folder, with all that people have to put there."""
    site = work / "site.yaml"
    site.write_text(SITE.format(suite=release.suite))
    report = build(site, Options(out=work / "out", today=TODAY, strict=True))
    server = report.out / "server"
    (server / "srv/tftp/debian").mkdir()
    for name in ("linux", "initrd.gz"):
        shutil.copy(release.installer / name, server / "srv/tftp/debian")
    (server / "srv/install/debian").symlink_to(release.mirror)
    return server


def wait_for_request(net: Namespace, host: Machine, path: str, seconds: float) -> None:
    """Wait until the install server is asked for a path, with no question to people before."""
    log = net.work / "install.log"

    def requested() -> bool:
        time.sleep(1)  # A console is long, and the machine needs the core itself.
        found = f"GET {path}" in log.read_text()
        assert found or not any(host.said(each) for each in QUESTIONS), tail(host.console)
        return found

    try:
        wait_until(requested, path, host.process, seconds)
    except LabError as error:
        raise LabError(f"{error}\n{tail(log)}{tail(host.console)}") from error


def test_the_installer_asks_nobody_until_it_loads_its_parts(
    tmp_path: Path, release: Debian
) -> None:
    with switched_on(tmp_path, release) as (net, host):
        wait_for_request(net, host, "/profiles/debian.cfg", LOADING_SECONDS)
        # It takes none of them from a mirror that Debian's own key has not signed.
        wait_for_request(net, host, f"/debian/dists/{release.suite}/Release.gpg", LOADING_SECONDS)
        wait_for_request(net, host, "/debian/pool/", LOADING_SECONDS)
