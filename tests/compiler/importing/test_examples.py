"""What 3RC compiled is imported to the same meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.importing.trees import example, imported
from threerc.compiler.build import check


@pytest.mark.parametrize(
    ("name", "hosts", "records"),
    [("minimal", 4, 8), ("sns-pisa", 18, 70), ("infn-pisa", 557, 1700)],
)
def test_an_example_comes_back(name: str, hosts: int, records: int, tmp_path: Path) -> None:
    _, _, compared = imported(example(name, tmp_path / "files"), tmp_path / "site")
    assert compared.differences == []
    assert compared.same["host", "of DHCP: MAC, address and name"] == hosts
    assert compared.same["boot target", ""] == hosts
    assert compared.same["DNS record", ""] >= records


def test_it_is_folded(tmp_path: Path) -> None:
    _, site, _ = imported(example("infn-pisa", tmp_path / "files"), tmp_path / "site")
    text = site.read_text(encoding="utf-8")
    assert "\n  wn[041-200]:\n" in text
    assert "mac: 02:00:0a:14:00:29-02:00:0a:14:00:c8\n" in text
    assert len(text.splitlines()) < 700
    again = check(site).site
    assert again.worker_nodes["wn120"].middleware == "glite-WN"
    assert again.worker_nodes["wn001"].boots == "disk1"
    assert len(again.physical_hosts) == 10
    assert len(again.virtual_machines) == 40
    assert [host.name for host in again.with_role("dhcp")] == ["svc01", "svc02"]


def test_what_3rc_tells_an_installer_is_no_argument_of_the_sites(tmp_path: Path) -> None:
    _, site, _ = imported(example("minimal", tmp_path / "files"), tmp_path / "site")
    assert check(site).site.os_profiles["debian12"].arguments == ()
