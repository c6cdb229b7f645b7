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


nodes = st.lists(st.one_of(ranges(), singles()), min_size=1, max_size=4).map("".join)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    nodes,
    st.sampled_from(["", "defaults: {worker_nodes: {os: old}}\n"]),
    st.sampled_from(["", "dhcp: {server: kea}\n", "dns: {hinfo: none}\n"]),
)
def test_nobody_can_tell_how_nodes_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, defaults: str, more: str
) -> None:
    path = tmp_path / "site.yaml"
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
