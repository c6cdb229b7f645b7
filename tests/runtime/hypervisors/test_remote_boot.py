"""Boot links on two TFTP servers: this host's own files, and another's over a real sshd."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors.site import site
from tests.runtime.hypervisors.sshd import Keys, free_port, settings, sshd
from tests.runtime.hypervisors.standin_hosts import PATH
from threerc.runtime.config import ControllerConfig, VirtualMachine
from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.remote_boot import BootSwitch

pytestmark = requires_real()

ADDRESS: Final = "127.0.0.14"
LINKS: Final = ("C0A8011F", "C0A8021F")


@dataclass
class Tftp:
    """The site, and the pxelinux.cfg folders of its servers: `here`, and `there` over ssh."""

    config: ControllerConfig
    here: Path
    there: Path

    @property
    def switch(self) -> BootSwitch:
        return BootSwitch(self.config, "bibe")

    def links(self) -> list[str]:
        return [os.readlink(folder / link) for folder in (self.here, self.there) for link in LINKS]

    def set(self, folder: Path, link: str, target: str) -> None:
        (folder / link).unlink(missing_ok=True)
        (folder / link).symlink_to(target)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tftp]:
    work = tmp_path_factory.mktemp("tftp")
    keys = Keys.make(work / "keys", ["bibe", "bussolo"])
    port = free_port([ADDRESS])
    folders = [work / name / "tftp/pxelinux.cfg" for name in ("bibe", "bussolo")]
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("local", "sl4-32", "disk2"):
            (folder / name).touch()
    hosts = {"alfa01": ADDRESS, "alfa02": ADDRESS}
    tftp = [
        {"host": "bibe", "address": "127.0.0.1", "root": str(folders[0].parent)},
        {"host": "bussolo", "address": ADDRESS, "root": str(folders[1].parent)},
    ]
    config = site(keys, hosts, port, "libvirt", work / "images", tftp_servers=tftp)
    told = config.virtual_machines["vrt1"].model_dump()
    told["boot"]["links"] = LINKS
    machines = {**config.virtual_machines, "vrt1": VirtualMachine.model_validate(told)}
    config = config.model_copy(update={"virtual_machines": machines})
    with sshd(settings(work / "bussolo", keys, ADDRESS, port, PATH), ADDRESS, port):
        yield Tftp(config, *folders)


@pytest.fixture
def tftp(servers: Tftp) -> Tftp:
    for folder in (servers.here, servers.there):
        for link in LINKS:
            servers.set(folder, link, "local")
    return servers


def test_switches_all_links_and_reads_them(tftp: Tftp) -> None:
    assert tftp.switch.read("vrt1") == "local"
    tftp.switch.switch("vrt1", "sl4-32")
    assert tftp.links() == ["sl4-32"] * 4
    assert tftp.switch.read("vrt1") == "sl4-32"
    tftp.switch.switch("vrt1", "local")
    assert tftp.links() == ["local"] * 4
    beside = [each.name for folder in (tftp.here, tftp.there) for each in folder.glob(".*")]
    assert beside == []


def test_makes_a_link_that_was_not_there(tftp: Tftp) -> None:
    (tftp.there / LINKS[0]).unlink()
    (tftp.here / LINKS[1]).unlink()
    assert tftp.switch.read("vrt1") is None
    tftp.switch.switch("vrt1", "sl4-32")
    assert tftp.links() == ["sl4-32"] * 4


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("where", ["here", "there"])
def test_one_that_says_install_is_not_overlooked(tftp: Tftp, where: str, link: str) -> None:
    for folder in (tftp.here, tftp.there):
        tftp.set(folder, LINKS[0], "disk2")
    tftp.set(tftp.here if where == "here" else tftp.there, link, "sl4-32")
    assert tftp.switch.read("vrt1") == "sl4-32"


def test_what_somebody_else_has_switched_is_told(tftp: Tftp) -> None:
    tftp.set(tftp.there, LINKS[1], "disk2")
    assert tftp.switch.read("vrt1") == "disk2"


@pytest.mark.parametrize("target", ["../../etc/passwd", "", "-f", "a b", "local\n", "$(id)"])
def test_no_other_names_than_boot_files(tftp: Tftp, target: str) -> None:
    with pytest.raises(Refused, match="no name of a boot file"):
        tftp.switch.switch("vrt1", target)
    assert tftp.links() == ["local"] * 4


def test_no_boot_file_that_is_not_there(tftp: Tftp) -> None:
    with pytest.raises(Refused, match="there is no boot file"):
        tftp.switch.switch("vrt1", "sl4-64")
    assert tftp.links() == ["local"] * 4
    tftp.there.joinpath("extra").touch()
    with pytest.raises(Refused, match=f"there is no boot file {tftp.here}/extra"):
        tftp.switch.switch("vrt1", "extra")
    assert tftp.links() == ["local", "local", "extra", "extra"]


@pytest.mark.parametrize("vm", ["vrt10", "nobody", "vrt1;id"])
def test_no_vm_without_a_link(tftp: Tftp, vm: str) -> None:
    with pytest.raises(Refused, match="no boot link"):
        tftp.switch.switch(vm, "local")
    with pytest.raises(Refused, match="no boot link"):
        tftp.switch.read(vm)


def test_a_server_that_does_not_answer(tftp: Tftp) -> None:
    lost = tftp.config.model_copy(
        update={"ssh": tftp.config.ssh.model_copy(update={"port": free_port([ADDRESS])})}
    )
    boot = BootSwitch(lost, "bibe")
    with pytest.raises(Unreachable, match="bussolo"):
        boot.switch("vrt1", "sl4-32")
    assert tftp.links() == ["sl4-32", "sl4-32", "local", "local"]
    assert boot.read("vrt1") == "sl4-32"
    tftp.switch.switch("vrt1", "local")
    with pytest.raises(Unreachable, match="bussolo"):
        boot.read("vrt1")


def test_the_link_is_there_at_every_moment(tftp: Tftp) -> None:
    over = threading.Event()

    def look() -> set[str]:
        seen = set()
        while not over.is_set():
            seen.add(os.readlink(tftp.there / LINKS[0]))
        return seen

    with ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(look)
        try:
            for target in ("sl4-32", "local"):
                tftp.switch.switch("vrt1", target)
        finally:
            over.set()
    assert watcher.result() == {"local", "sl4-32"}
