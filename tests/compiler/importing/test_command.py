"""3rc import as people type it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.compiler.importing.trees import example, written
from threerc.compiler.cli import cli
from threerc.compiler.importing.run import Sources


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    sources: Sources = example("minimal", tmp_path / "files")
    zones = [f"--zone={name}={path}" for name, path in sources.zones]
    return [f"--dhcpd={sources.dhcpd[0]}", *zones, f"--pxelinux={sources.pxelinux}"]


def test_it_prints_a_site(files: list[str]) -> None:
    result = run(*files)
    assert result.exit_code == 0
    assert "domain: lab.example.org\n" in result.stdout
    assert "warning: " in result.stderr
    assert "[not-imported]" in result.stderr


def test_it_writes_a_site_once(files: list[str], tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    assert run(*files, "-o", site).exit_code == 0
    text = site.read_text(encoding="utf-8")
    again = run(*files, "-o", site)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert site.read_text(encoding="utf-8") == text


def test_it_compares(files: list[str], tmp_path: Path) -> None:
    assert run(*files, "--verify").exit_code == 0
    site = tmp_path / "site.yaml"
    compared = run(*files, "-o", site, "--verify")
    assert compared.exit_code == 0
    assert compared.stdout.endswith("no differences\n")
    text = site.read_text(encoding="utf-8")
    moved = text.replace("192.168.10.11-192.168.10.14", "192.168.10.31-192.168.10.34")
    site.write_text(moved, encoding="utf-8")
    changed = run(*files, "-o", site, "--verify")
    assert changed.exit_code == 1
    line = "02:00:c0:a8:0a:0b (node1) has 192.168.10.31 instead of 192.168.10.11\n"
    assert re.search(r"(?m)/dhcpd\.conf:[0-9]+: " + re.escape(line), changed.stdout)
    assert changed.stdout.endswith(" differences\n")
    site.write_text("site: x\n", encoding="utf-8")
    broken = run(*files, "-o", site, "--verify")
    assert broken.exit_code == 1
    assert "[missing-key]" in broken.stderr


def test_what_it_cannot_read(tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run("--zone", "example.org").exit_code == 2
    assert run("--zone", f"example.org={tmp_path}/none").exit_code == 2
    bad = written(tmp_path, kea__json="{")["kea__json"]
    result = run("--kea", bad)
    assert result.exit_code == 1
    assert str(result.exception) == f"{bad}:1: Expecting property name enclosed in double quotes"


def test_findings_as_annotations(files: list[str]) -> None:
    assert "::warning file=" in run(*files, "--format", "github").stdout


def test_a_missing_semicolon_is_an_error(tmp_path: Path) -> None:
    text = """\
    subnet 10.5.0.0 netmask 255.255.255.0 {
      option routers 10.5.0.254
      range 10.5.0.10 10.5.0.20;
    }
    """
    bad = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    result = run("--dhcpd", bad)
    assert result.exit_code == 1
    assert str(result.exception) == f"{bad}:2: no semicolon before `range` of line 3"
