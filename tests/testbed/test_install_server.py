"""The install server over a compiled site, by real HTTP."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.compiler.support import TODAY
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks
from threerc.runtime.config import load
from threerc.runtime.stores.directory import DirectoryStore
from threerc.testbed.install_server import InstallServer

SITE = """\
site: lab
domain: example.org
networks:
  lan: {{prefix: 127.0.0.0/24, boot: true}}
os_profiles:
  tiny:
    installer: image
    kernel: tiny/vmlinuz
    initrd: tiny/initrd
    image: http://server.example.org/images/tiny.tar.gz
service_hosts:
  server: {{address: 127.0.0.2, roles: [dhcp, tftp, install, dns, collector, controller]}}
recovery: {{state_directory: {state}}}
physical_hosts:
  alfa: {{address: 127.0.0.3, mac: "52:54:00:00:00:03", memory: 8GiB, cpus: 4, maxl: 4,
         disks: [{{device: sda, size: 100GB}}]}}
virtual_machines:
  guest: {{address: 127.0.0.10, mac: "52:54:00:00:00:01", os: tiny, home: alfa, memory: 1GiB,
          inst: 1, image: /images/guest.qcow2}}
worker_nodes:
  wn001: {{address: 127.0.0.11, mac: "52:54:00:00:00:11", os: tiny}}
  wn002: {{address: 127.0.0.12, mac: "52:54:00:00:00:12", os: tiny, boot: install}}
"""


@dataclass
class Served:
    """A running install server of the site."""

    port: int
    server: Path
    state: Path

    def ask(self, method: str, path: str, address: str = "127.0.0.11") -> tuple[int, bytes]:
        """Ask it something, from the address of a machine."""
        link = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(address, 0)
        )
        link.request(method, path)
        answer = link.getresponse()
        return answer.status, answer.read().strip()

    def boots(self, name: str) -> str | None:
        """What a machine boots next."""
        links = BootLinks.load(self.server)
        return links.show(links.find([name])[0])["boots"]

    def install(self, name: str) -> None:
        """Let a machine install itself when it boots next."""
        links = BootLinks.load(self.server)
        links.switch(links.find([name]), "install")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user gets into, unlike tmp_path."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def served(tmp_path: Path, open_folder: Path) -> Iterator[Served]:
    site, state = tmp_path / "site.yaml", open_folder / "state"
    site.write_text(SITE.format(state=state))
    report = build(site, Options(out=tmp_path / "out", today=TODAY))
    assert not report.tree.left_out
    root = report.out / "server"
    DirectoryStore.create(state)
    with InstallServer("127.0.0.1", 0, root / "srv/install", root) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Served(server.server_address[1], root, state)
        server.shutdown()
        thread.join()


def test_it_serves_the_compiled_files_and_nothing_else(served: Served) -> None:
    hook = served.server / "srv/install/post/install.sh"
    assert served.ask("GET", "/post/install.sh") == (200, hook.read_bytes().strip())
    assert served.ask("HEAD", "/post/install.sh") == (200, b"")
    assert served.ask("GET", "/post/")[0] == 404
    assert served.ask("GET", "/../../etc/3rc/boot.hosts")[0] == 404
    assert served.ask("GET", "/%2e%2e/%2e%2e/etc/3rc/boot.hosts")[0] == 404
    assert served.ask("POST", "/post/install.sh")[0] == 404
    assert served.ask("PUT", "/post/install.sh")[0] == 501


def test_an_installed_machine_boots_what_is_declared(served: Served) -> None:
    served.install("wn001")
    status, token = served.ask("POST", "/3rc/begin")
    assert status == 200
    assert served.boots("wn001") == "tiny"
    path = f"/3rc/installed/{token.decode()}"
    status, said = served.ask("POST", path)
    assert (status, said.split(b";")[0]) == (200, b"wn001 boots local")
    assert served.boots("wn001") == "local"
    # The token is good once.
    served.install("wn001")
    assert served.ask("POST", path)[0] == 403
    assert served.boots("wn001") == "tiny"


def test_what_is_declared_to_install_does_so_once(served: Served) -> None:
    assert served.boots("wn002") == "tiny"
    _, token = served.ask("POST", "/3rc/begin", "127.0.0.12")
    assert served.ask("POST", f"/3rc/installed/{token.decode()}", "127.0.0.12")[0] == 200
    assert served.boots("wn002") == "local"


def test_a_token_is_good_for_the_machine_that_got_it(served: Served) -> None:
    served.install("wn001")
    _, token = served.ask("POST", "/3rc/begin")
    path = f"/3rc/installed/{token.decode()}"
    assert served.ask("POST", path, "127.0.0.12")[0] == 403
    assert served.ask("POST", "/3rc/begin", "127.0.0.99")[0] == 403
    assert served.ask("POST", "/3rc/installed/", "127.0.0.99")[0] == 403
    assert served.ask("POST", "/3rc/installed/%00")[0] == 403
    _, newer = served.ask("POST", "/3rc/begin")
    assert served.ask("POST", path)[0] == 403
    assert served.boots("wn001") == "tiny"
    assert served.ask("POST", f"/3rc/installed/{newer.decode()}")[0] == 200


def test_the_controllers_are_told_of_a_virtual_machine(served: Served) -> None:
    if os.geteuid() == 0:
        os.chown(served.state, 1234, 1234)
        for path in served.state.rglob("*"):
            os.chown(path, 1234, 1234)
    _, token = served.ask("POST", "/3rc/begin", "127.0.0.10")
    status, said = served.ask("POST", f"/3rc/installed/{token.decode()}", "127.0.0.10")
    assert (status, said) == (200, b"guest boots local; guest is installed")
    config = load(served.server / "etc/3rc/controller.yaml")
    assert DirectoryStore(Path(config.state_directory)).get("installed/guest") is not None
    # What root has written there, the controllers could not read.
    assert {path.stat().st_uid for path in served.state.rglob("*")} == {served.state.stat().st_uid}


def test_state_that_is_away_keeps_no_machine_from_booting(served: Served) -> None:
    served.state.rename(served.state.with_name("away"))
    served.install("guest")
    _, token = served.ask("POST", "/3rc/begin", "127.0.0.10")
    status, said = served.ask("POST", f"/3rc/installed/{token.decode()}", "127.0.0.10")
    assert status == 200
    assert b"could not be told" in said
    assert served.boots("guest") == "local"


def test_a_report_that_cannot_be_carried_out_may_come_again(served: Served) -> None:
    served.install("wn001")
    _, token = served.ask("POST", "/3rc/begin")
    path = f"/3rc/installed/{token.decode()}"
    table = served.server / "etc/3rc/boot.hosts"
    table.rename(table.with_name("away"))
    status, said = served.ask("POST", path)
    assert (status, b"boot.hosts" in said) == (503, True)
    table.with_name("away").rename(table)
    assert served.ask("POST", path)[0] == 200
