"""Nodes that are alike are read and compiled together, and nobody can tell from what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compiler.support import TODAY
from threerc.compiler.build import check, compile_tree
from threerc.compiler.findings import Finding
from threerc.compiler.generation import manifest
from threerc.compiler.lock import Lock
from threerc.compiler.model import Alike
from threerc.compiler.plan.snapshot import snapshot
from threerc.compiler.rules import findings
from threerc.compiler.source import alike, load, pieces
from threerc.compiler.starter import starter

HEAD = """\
site: test
domain: example.org
networks:
  lan: {prefix: 10.0.0.0/24, gateway: 10.0.0.254, boot: true, pool: 10.0.0.200-10.0.0.210}
  far: {prefix: 10.0.1.0/25, gateway: 10.0.1.1}
  near: {prefix: 10.0.1.128/25, boot: true}
os_profiles:
  old: {installer: kickstart, release: RHEL5, kernel: k, initrd: i, repository: http://m/old}
  by-hand: {installer: manual, kernel: k, initrd: i}
middleware: {mw: {}}
groups:
  rack: {os: old, switches: [sw1]}
  spare: {boot: install}
  wrong: {os: new}
cabling: {switches: {sw1: {}, sw2: {uplinks: [sw1]}}}
service_hosts:
  server: {address: 10.0.0.1, mac: "02:00:00:ff:00:01", switches: [sw1],
    roles: [dhcp, dns, tftp, install, collector, gmetad]}
"""


class Said(NamedTuple):
    """All that becomes of a site file."""

    findings: list[Finding]
    hosts: dict[str, Any]
    manifest: str
    snapshot: dict[str, str]


def said(path: Path) -> Said:
    """What becomes of a site file; without findings also its tree."""
    loaded = load.load(path)
    found = sorted(loaded.findings + findings(loaded))
    if loaded.site is None:
        return Said(found, {}, "", {})
    hosts = dict(loaded.site.hosts)
    if any(each.severity == "error" for each in found):
        return Said(found, hosts, "", {})
    lock = Lock(TODAY)
    tree = compile_tree(loaded.site, lock, path.parent)
    lines = dict(snapshot(loaded.site, lock.data).lines)
    return Said(found, hosts, manifest(tree.entries), lines)


SETTINGS = (
    "os: old",
    "os: by-hand",
    "os: new",
    "middleware: mw",
    "groups: [rack]",
    "groups: [rack, spare]",
    "groups: [wrong]",
    "groups: [none]",
    "boot: install",
    "roles: [collector]",
    "aliases: [other]",
    "description: of its own",
    "dns: forward",
    "dhcp: [filename x]",
    "cpus: 4",
    "cpus: true",
    "dual_boot: {}",
    "disks: [{device: sdb, size: 1GiB}]",
    "switches: [sw2]",
    "switches: [sw9]",
    "interfaces: {eth1: {address: 10.0.1.9}}",
    "colour: red",
)
own = st.lists(st.sampled_from(SETTINGS), max_size=3, unique_by=lambda each: each.split(":")[0])
number = st.integers(1, 40)


def entry(name: str, address: str, mac: str, settings: list[str]) -> str:
    """An entry of a worker node in flow style."""
    return f"  {name}: {{{', '.join([f'address: {address}', f'mac: {mac}', *settings])}}}\n"


@st.composite
def ranges(draw: st.DrawFn) -> str:
    """A range, now and then with a mistake in its addresses."""
    first, count = draw(number), draw(st.integers(1, 6))
    base = draw(st.sampled_from(["10.0.0", "10.0.1", "10.0.9"]))
    at = draw(st.sampled_from([1, 60, 100, 125, 197]))
    more = draw(st.sampled_from([0, 0, 0, 0, 1]))
    address = f"{base}.{at + first}-{base}.{at + first + count - 1 + more}"
    mac = f"02:00:00:00:00:{first:02x}-02:00:00:00:00:{first + count - 1:02x}"
    return entry(f"wn[{first:02}-{first + count - 1:02}]", address, f'"{mac}"', draw(own))


@st.composite
def singles(draw: st.DrawFn) -> str:
    """Single entries that follow each other and are alike, but for some."""
    first, count, shared = draw(number), draw(st.integers(1, 6)), draw(own)
    base = draw(st.sampled_from(["10.0.0", "10.0.1"]))
    odd = draw(st.sampled_from(["", "", "", "10.0.0.007", "10.0.0.1", "7"]))
    lines = []
    for at in range(first, first + count):
        address = (
            odd if odd and at == first + 1 else f"{base}.{at + draw(st.sampled_from([0, 90]))}"
        )
        lines.append(entry(f"wn{at:02}", address, f'"02:00:00:00:00:{at:02X}"', shared))
    return "".join(lines)


@st.composite
def lists(draw: st.DrawFn) -> str:
    """A range of two nodes that need not follow each other."""
    first = draw(number)
    second = first + draw(st.integers(1, 9))
    at = draw(st.sampled_from([1, 60, 100]))
    mac = f'"02:00:00:00:00:{first:02x}-02:00:00:00:00:{first + 1:02x}"'
    address = f"10.0.0.{at + first}-10.0.0.{at + first + 1}"
    return entry(f"wn[{first:02},{second:02}]", address, mac, draw(own))


rows = st.lists(number, max_size=3, unique=True).map(
    lambda found: "".join(f"wn{n:02},10.0.0.{n + 1},02:00:00:00:01:{n:02x},old\n" for n in found)
)
"""Lines of an inventory, which single entries can override."""
nodes = st.lists(st.one_of(ranges(), singles(), lists()), min_size=1, max_size=4).map("".join)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    nodes,
    st.sampled_from(["", "defaults: {worker_nodes: {os: old}}\n"]),
    st.sampled_from(["", "dhcp: {server: kea}\n", "dns: {hinfo: none}\n"]),
    rows,
)
def test_nobody_can_tell_how_nodes_were_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    defaults: str,
    more: str,
    csv: str,
) -> None:
    path = tmp_path / "site.yaml"
    if csv:
        (tmp_path / "hosts.csv").write_text(f"name,address,mac,os\n{csv}")
        more += "inventories: [{file: hosts.csv, section: worker_nodes}]\n"
    path.write_text(f"{HEAD}{defaults}{more}worker_nodes:\n{text}")
    with monkeypatch.context() as patch:
        patch.setattr(load, "_together", lambda *_: None)
        one_by_one = said(path)
    with monkeypatch.context() as patch:
        patch.setattr(alike, "_FEWEST", 2)
        together = said(path)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        patch.setattr(pieces, "SMALLEST", 0)
        patch.setattr(pieces, "_ENTRIES", 2)
        cold, warm = said(path), said(path)
    assert together == one_by_one
    assert cold == one_by_one
    assert warm == one_by_one


def test_no_node_is_made_of_those_that_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    for expanded in (False, True):
        path.write_text(starter(2000, expanded=expanded))
        checked = check(path)
        lock = Lock(TODAY)
        compile_tree(checked.site, lock, checked.folder)
        snapshot(checked.site, lock.data)
        farm = checked.site.worker_nodes
        assert [type(part) for part in farm.parts] == [Alike]
        assert farm.made == {}


def test_a_node_with_an_entry_of_its_own_leaves_its_range(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    nodes = (
        'wn[01-20]: {address: 10.0.0.101-10.0.0.120, mac: "02:00:00:00:00:01-02:00:00:00:00:14"}'
    )
    path.write_text(f"{HEAD}worker_nodes:\n  wn07: {{os: old}}\n  {nodes}\n")
    site = load.load(path).site
    assert site is not None
    assert [len(p.names) if isinstance(p, Alike) else p.name for p in site.worker_nodes.parts] == [
        *(6, "wn07", 13)
    ]
    assert site.worker_nodes["wn07"].os == "old"
    assert str(site.worker_nodes["wn07"].address) == "10.0.0.107"
    assert list(site.worker_nodes)[6] == "wn07"


def alike_nodes(first: int, last: int) -> str:
    """Single entries that are alike."""
    return "".join(
        entry(f"wn{n:02}", f"10.0.0.{n}", f'"02:00:00:00:00:{n:02x}"', [])
        for n in range(first, last + 1)
    )


def test_what_an_inventory_says_of_one_node_is_not_said_of_others(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text("name,os,boot\nwn02,old,install\n")
    inventory = "inventories: [{file: hosts.csv, section: worker_nodes}]\n"
    path = tmp_path / "site.yaml"
    path.write_text(f"{HEAD}{inventory}worker_nodes:\n{alike_nodes(2, 40)}")
    site = load.load(path).site
    assert site is not None
    assert [name for name, host in site.worker_nodes.items() if host.os] == ["wn02"]


def test_a_range_in_another_piece_keeps_its_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pieces, "SMALLEST", 0)
    mac = '"02:00:00:00:01:01-02:00:00:00:01:02"'
    pair = entry("wn[02,60]", "10.0.0.101-10.0.0.102", mac, ["os: by-hand"])
    path = tmp_path / "site.yaml"
    for cut in (1, 2, 10**9):
        monkeypatch.setattr(pieces, "_ENTRIES", cut)
        path.write_text(f"{HEAD}worker_nodes:\n{pair}{alike_nodes(2, 40)}")
        for _ in ("read", "recalled"):
            site = load.load(path).site
            assert site is not None
            assert len(site.worker_nodes) == 40
            own = [name for name, host in site.worker_nodes.items() if host.os == "by-hand"]
            assert sorted(own) == ["wn02", "wn60"]


def test_a_name_that_is_none_is_a_finding_in_a_large_file_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pieces, "SMALLEST", 0)
    path = tmp_path / "site.yaml"
    path.write_text(f"{HEAD}worker_nodes:\n{alike_nodes(2, 40)}".replace("  wn05:", '  "wn 05":'))
    for _ in ("read", "recalled"):
        assert [finding.rule for finding in load.load(path).findings] == ["host-name"]
