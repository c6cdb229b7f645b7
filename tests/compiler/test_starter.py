"""The starter site: valid at any size, the same hosts whichever way they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from threerc.compiler.rules import findings
from threerc.compiler.source.load import Loaded, load
from threerc.compiler.starter import MOST_NODES, starter


def loaded(folder: Path, nodes: int, *, expanded: bool) -> Loaded:
    path = folder / f"{nodes}-{expanded}.yaml"
    path.write_text(starter(nodes, expanded), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("nodes", [0, 1, 4, 300, 70_000])
def test_it_is_valid_and_both_ways_say_the_same(tmp_path: Path, nodes: int) -> None:
    plain = loaded(tmp_path, nodes, expanded=False)
    expanded = loaded(tmp_path, nodes, expanded=True)
    for each in (plain, expanded):
        assert each.findings == []
        assert findings(each) == []
    assert plain.site is not None
    assert expanded.site is not None
    assert plain.site.hosts == expanded.site.hosts
    assert len(plain.site.worker_nodes) == nodes


def test_the_largest_is_one_range_for_each_network(tmp_path: Path) -> None:
    text = starter(MOST_NODES)
    assert len(re.findall(r"^  wn\[\d{6}-\d{6}\]:$", text, re.MULTILINE)) == 4
    site = loaded(tmp_path, MOST_NODES, expanded=False).site
    assert site is not None
    assert len(site.worker_nodes) == MOST_NODES
    assert len({node.address for node in site.worker_nodes.values()}) == MOST_NODES


@pytest.mark.parametrize("count", [250, 251, 1_000, 1_001, 4_001, 16_001, 65_000])
def test_a_full_network_still_has_room_for_its_gateway(tmp_path: Path, count: int) -> None:
    each = loaded(tmp_path, count, expanded=False)
    assert [*each.findings, *findings(each)] == []


def test_what_it_has(tmp_path: Path) -> None:
    site = loaded(tmp_path, 4, expanded=False).site
    assert site is not None
    assert len(site.with_role("controller")) == len(site.with_role("collector")) == 2
    assert len(site.physical_hosts) == len(site.virtual_machines) == 2
    assert site.volumes
    for middleware in site.middleware.values():
        assert all("://" in script for script in middleware.scripts)


def test_the_power_control_that_it_shows_is_valid(tmp_path: Path) -> None:
    text = starter(4)
    shown = re.search(r"^#   (power: .*)$", text, re.MULTILINE)
    assert shown is not None
    path = tmp_path / "site.yaml"
    path.write_text(text.replace("  ph1: {", f"  ph1: {{{shown[1]}, "), encoding="utf-8")
    each = load(path)
    assert [*each.findings, *findings(each)] == []
    assert each.site is not None
    assert each.site.physical_hosts["ph1"].power is not None


def test_other_yaml_readers_read_the_same() -> None:
    data = yaml.safe_load(starter(2, expanded=True))
    assert data["worker_nodes"]["wn002"] == {
        "address": "10.1.0.2",
        "mac": "02:00:0a:01:00:02",
        "os": "el9",
        "middleware": "worker",
    }


def test_its_lines_are_short_and_end_clean() -> None:
    for line in starter(300).splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()


@pytest.mark.parametrize("nodes", [-1, MOST_NODES + 1])
def test_other_sizes_are_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match="worker nodes"):
        starter(nodes)


def test_a_hundred_thousand_written_out() -> None:
    text = starter(100_000, expanded=True)
    assert text.count("    mac: 02:00:0a:0") > 100_000
