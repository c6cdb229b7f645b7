"""Boot links: shown, and switched by one rename or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.compiler.support import compiled
from threerc.compiler.artefacts.pxelinux import compile_pxelinux
from threerc.compiler.generation import Generations
from threerc.compiler.model import Site
from threerc.runtime.bootlinks import BootError, BootLinks


@pytest.fixture
def links(sns_pisa: Site, tmp_path: Path) -> BootLinks:
    generations = Generations(tmp_path / "out")
    with generations.staged(compiled(compile_pxelinux, sns_pisa).entries) as stage:
        generations.switch(stage)
    return BootLinks.load(tmp_path / "out/bibe")


def test_it_shows_what_a_host_boots(links: BootLinks) -> None:
    (host,) = links.find(["gridce"])
    assert links.show(host) == {
        "name": "gridce",
        "link": "C0A8011F",
        "boots": "local",
        "declared": "local",
    }


def test_install_is_the_os_profile(links: BootLinks) -> None:
    links.switch(links.find(["gridce"]), "install")
    assert os.readlink(links.folder / "C0A8011F") == "sl4-32"
    assert os.readlink(links.folder / "C0A80120") == "local"  # gridse has its own name


def test_disks_are_switched_for_many(links: BootLinks) -> None:
    hosts = links.find(["wn01", "wn02"])
    links.switch(hosts, "disk2")
    assert [links.show(host)["boots"] for host in hosts] == ["disk2", "disk2"]


@pytest.mark.parametrize("target", ["disk1", "disk9", "sl4-32", "../../etc/passwd", "", "default"])
def test_unknown_targets_are_refused_before_anything_is_switched(
    links: BootLinks, target: str
) -> None:
    with pytest.raises(BootError, match="cannot boot"):
        links.switch(links.find(["gridce", "vrt1"]), target)
    assert os.readlink(links.folder / "C0A8011F") == "local"


def test_a_missing_boot_file_is_refused(links: BootLinks) -> None:
    (links.folder / "disk2").unlink()
    with pytest.raises(BootError, match="no boot file"):
        links.switch(links.find(["wn01"]), "disk2")


def test_unknown_hosts_and_tables_are_refused(links: BootLinks, tmp_path: Path) -> None:
    with pytest.raises(BootError, match="does not boot"):
        links.find(["nobody"])
    with pytest.raises(BootError, match="is this the TFTP host"):
        BootLinks.load(tmp_path)
