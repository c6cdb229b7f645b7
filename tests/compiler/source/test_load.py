"""A site file into a site: inheritance, places, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, good_site, site_of
from threerc.compiler.findings import Finding
from threerc.compiler.rules import findings as rule_findings


def told(found: list[Finding]) -> list[tuple[int, int, str, str]]:
    return [(each.place.line, each.place.column, each.message, each.rule) for each in sorted(found)]


def test_nearer_values_win_over_farther_ones(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
defaults:
  worker_nodes: {cpus: 1, memory: 1GiB, description: default, boot: local, middleware: m}
groups:
  near: {cpus: 3, memory: 3GiB}
  far: {cpus: 2, memory: 2GiB, description: far}
worker_nodes:
  wn[1-3]: {groups: [far, near], address: 192.168.1.1-192.168.1.3, cpus: 4}
"""
    )
    loaded = site_of(tmp_path, text)
    assert loaded.site is not None
    node = loaded.site.worker_nodes["wn2"]
    assert (node.cpus, node.memory, node.description) == (4, 3 << 30, "far")
    path = ("worker_nodes", "wn2")
    lines = [loaded.place((*path, key)).line for key in ("cpus", "memory", "description", "boot")]
    assert lines == [12, 9, 10, 7]
    assert loaded.place((*path, "address")) == (str(tmp_path / "site.yaml"), 12, 43)
    assert loaded.place(path) == (str(tmp_path / "site.yaml"), 12, 3)
    assert loaded.place((*path, "mac")) == loaded.place(path)


def test_an_entry_overrides_its_range_but_not_by_what_it_inherits(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
defaults:
  worker_nodes: {cpus: 1, description: default}
groups:
  special: {cpus: 7, memory: 7GiB, description: special}
  plain: {memory: 2GiB, boot: local}
worker_nodes:
  wn2: {groups: [special], aliases: [ui]}
  wn3:
  wn[1-3]: {groups: [plain], address: 192.168.1.1-192.168.1.3, cpus: 4}
"""
    )
    loaded = site_of(tmp_path, text)
    assert loaded.findings == []
    assert loaded.site is not None
    node = loaded.site.worker_nodes["wn2"]
    assert str(node.address) == "192.168.1.2"
    assert (node.cpus, node.memory, node.description) == (4, 7 << 30, "special")
    assert (node.boot, node.aliases, node.groups) == ("local", ("ui",), ("special",))
    assert loaded.site.worker_nodes["wn3"].groups == ("plain",)
    path = ("worker_nodes", "wn2")
    keys = ("cpus", "memory", "description", "boot", "aliases", "address")
    assert [loaded.place((*path, key)).line for key in keys] == [14, 9, 9, 10, 12, 14]


def test_ranges_count_up_interfaces_and_aliases_too(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
worker_nodes:
  wn[08-10]:
    address: 192.168.1.8-192.168.1.10
    address6: fd00::8-fd00::a
    mac: 02:00:00:00:00:08-02:00:00:00:00:0A
    aliases: ["node[1-3]"]
    interfaces:
      eth1: {address: 192.168.1.108-192.168.1.110}
"""
    )
    site = good_site(tmp_path, text)
    assert [
        (n, str(h.address), str(h.address6), h.mac, h.aliases) for n, h in site.worker_nodes.items()
    ] == [
        ("wn08", "192.168.1.8", "fd00::8", "02:00:00:00:00:08", ("node1",)),
        ("wn09", "192.168.1.9", "fd00::9", "02:00:00:00:00:09", ("node2",)),
        ("wn10", "192.168.1.10", "fd00::a", "02:00:00:00:00:0a", ("node3",)),
    ]
    inner = [str(host.interfaces["eth1"].address) for host in site.worker_nodes.values()]
    assert inner == ["192.168.1.108", "192.168.1.109", "192.168.1.110"]


def test_values_that_do_not_count_up_with_their_range(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
worker_nodes:
  wn[1-3]:
    address: 192.168.1.1-192.168.1.4
    mac: 02:00:00:00:00:01
    aliases: [ui]
    interfaces:
      eth1: {address: 192.168.1.9}
"""
    )
    loaded = site_of(tmp_path, text)
    assert [(line, rule) for line, _, _, rule in told(loaded.findings)] == [
        (8, "range"),
        (9, "range"),
        (10, "range"),
        (12, "range"),
    ]
    assert rule_findings(loaded) == []


CASES = [
    (
        "worker_nodes: {a: {adress: 1}}",
        "unknown key `adress`, did you mean `address`? (a)",
        "unknown-key",
        20,
    ),
    (
        "worker_nodes: {a: {home: b}}",
        "key `home` does not belong to worker_nodes (only to virtual_machines) (a)",
        "unknown-key",
        20,
    ),
    ("worker_nodes: {a: {xyzzy: b}}", "unknown key `xyzzy` (a)", "unknown-key", 20),
    ("virtual_machines: {a: {}}", "missing key `home` (a)", "missing-key", 20),
    (
        "worker_nodes: {a: {address: 1.2.3.400}}",
        "address: not an IPv4 address, got `1.2.3.400` (a)",
        "value",
        29,
    ),
    (
        "worker_nodes: {a: {mac: 5}}",
        "mac: not the MAC address of one interface, such as 02:00:c0:a8:01:0b, got `5` (a)",
        "mac-address",
        25,
    ),
    ("worker_nodes: {a: {cpus: x}}", "cpus: has to be a whole number, got `x` (a)", "value", 26),
    ("worker_nodes: {a: {roles: dns}}", "roles: has to be a list, got `dns` (a)", "value", 27),
    (
        "worker_nodes: {a: {dual_boot: 1}}",
        "dual_boot: has to be a mapping of its settings, got `1` (a)",
        "value",
        31,
    ),
    (
        "worker_nodes: {a_b: {}}",
        (
            "a_b: not a host name: 1 to 63 letters, digits and inner hyphens, no dots (RFC 1123), "
            "got `a_b` (a_b)"
        ),
        "host-name",
        16,
    ),
    ("worker_nodes: {a: {name: b}}", "unknown key `name`", "unknown-key", 20),
    ("worker_nodes: [a]", "`worker_nodes` has to be a mapping of hosts by name", "type", 15),
    ("worker_nodes: {a: {groups: [b]}}", "there is no group `b`", "group-exists", 28),
    (
        "worker_nodes: {a: {address:192.168.1.2}}",
        "unknown key `address:192.168.1.2`: there is no space after its colon (a)",
        "unknown-key",
        20,
    ),
    ("networkz: {}", "unknown key `networkz`, did you mean `networks`?", "unknown-key", 1),
    (
        "administrators: {me: ssh-rsa x}",
        (
            "me: not an OpenSSH public key (type, base64 and comment on one line), got "
            "`ssh-rsa x`; or has to be a list, got `ssh-rsa x`"
        ),
        "ssh-key",
        22,
    ),
    ("root_password: {}", "root_password: give either `file` or `env`", "secret", 16),
    (
        "monitoring: {mode: unicats}",
        "mode: input should be 'unicast' or 'multicast', got `unicats`",
        "value",
        20,
    ),
    (
        "recovery: {minutes: {a: evn}}",
        "a: input should be 'even', 'odd' or 'every', got `evn`",
        "value",
        25,
    ),
    (
        "recovery: {steps: {reboot: -1}}",
        "reboot: input should be greater than or equal to 0, got `-1`",
        "value",
        28,
    ),
    ("groups: {farm: {groups: [x]}}", "unknown key `groups`", "unknown-key", 17),
    ("groups: {farm: 5}", "farm: has to be a mapping of its settings, got `5`", "value", 16),
    ("inventories: [{file: a.csv}]", "missing key `section`", "missing-key", 15),
]


@pytest.mark.parametrize(("text", "message", "rule", "column"), CASES)
def test_one_mistake_makes_one_finding(
    tmp_path: Path, text: str, message: str, rule: str, column: int
) -> None:
    loaded = site_of(tmp_path, HEAD + text + "\n")
    found = told(loaded.findings + rule_findings(loaded))
    assert [
        (each[2], each[3], each[0], each[1]) for each in found if each[3] != "host-address"
    ] == [(message, rule, 5, column)]
