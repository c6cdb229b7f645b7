"""Kea's files: what they say, and that Kea takes them. What Kea serves is in tests/real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.support import compiled, good_site, staged, text_of
from tests.lab import requires_real
from threerc.compiler.artefacts.dhcpd import compile_dhcpd
from threerc.compiler.artefacts.kea import compile_kea, written
from threerc.compiler.tree import Tree
from threerc.compiler.verify.kea import CHECKERS

FOUR, SIX = CHECKERS
CONF, CONF6 = "s/etc/kea/kea-dhcp4.conf", "s/etc/kea/kea-dhcp6.conf"
SITE = r"""
site: test
domain: example.org
dhcp: {server: kea}
networks:
  lan:
    prefix: 192.168.1.0/24
    prefix6: fd00:1::/64
    gateway: 192.168.1.254
    boot: true
    lease: 600
    domain: farm.example.org
  office: {prefix: 10.0.0.0/24, prefix6: 'fd00:2::/64', pool: 10.0.0.10-10.0.0.20}
service_hosts:
  s:
    address: 192.168.1.2
    address6: fd00:1::2
    interface: eno9
    roles: [dhcp, dns, tftp, install, collector]
    interfaces: {eth7: {address: 10.0.0.2, address6: 'fd00:2::2'}}
worker_nodes:
  wn1:
    address: 192.168.1.11
    address6: fd00:1::11
    mac: "02:00:00:00:00:01"
    description: 'the "old" one; } \ ünder the stairs'
  wn2: {address: 10.0.0.22, address6: 'fd00:2::22', mac: "02:00:00:00:00:02"}
"""
SECOND = "  t: {address: 192.168.1.3, roles: [dhcp]}\nworker_nodes:"


def tree_of(folder: Path, text: str = SITE) -> Tree:
    return compiled(compile_kea, good_site(folder, text))


def said(tree: Tree, path: str) -> dict[str, Any]:
    """What a file says, without the name of its server."""
    (content,) = json.loads(text_of(tree, path)).values()
    assert isinstance(content, dict)
    return content


def test_either_server_is_compiled(tmp_path: Path) -> None:
    assert set(tree_of(tmp_path).entries) == {CONF, CONF6}
    assert not compiled(compile_dhcpd, good_site(tmp_path, SITE)).entries
    assert not tree_of(tmp_path, SITE.replace("server: kea", "server: dhcpd")).entries


def test_who_is_served_and_told_what(tmp_path: Path) -> None:
    office, lan = said(tree_of(tmp_path), CONF)["subnet4"]
    assert office["pools"] == [{"pool": "10.0.0.10-10.0.0.20", "client-class": "UNKNOWN"}]
    assert "require-client-classes" not in office
    assert "next-server" not in office
    assert lan == {
        "id": 0xC0A80100,
        "subnet": "192.168.1.0/24",
        "user-context": {"name": "lan"},
        "valid-lifetime": 600,
        "option-data": [
            {"name": "routers", "data": "192.168.1.254"},
            {"name": "domain-name", "data": "farm.example.org"},
            {"name": "domain-search", "data": "farm.example.org, example.org"},
            {"name": "domain-name-servers", "data": "192.168.1.2"},
        ],
        "next-server": "192.168.1.2",
        "require-client-classes": ["bios", "uefi", "uefi-http"],
        "reservations": [
            {
                "hw-address": "02:00:00:00:00:01",
                "ip-address": "192.168.1.11",
                "hostname": "wn1",
                "user-context": {"comment": 'the "old" one; } \\ ünder the stairs'},
            }
        ],
    }


def test_ipv6_is_heard_on_the_interface_of_each_network(tmp_path: Path) -> None:
    lan, office = said(tree_of(tmp_path), CONF6)["subnet6"]
    assert (lan["interface"], office["interface"]) == ("eno9", "eth7")
    assert lan["reservations"][0]["ip-addresses"] == ["fd00:1::11"]
    assert lan["option-data"][-1] == {"name": "dns-servers", "data": "fd00:1::2"}
    assert lan["id"] != office["id"]


def test_a_network_that_the_server_is_not_in_is_heard_through_relays(tmp_path: Path) -> None:
    text = SITE.replace(", address6: 'fd00:2::2'", "")
    _, office = said(tree_of(tmp_path, text), CONF6)["subnet6"]
    assert "interface" not in office


def test_two_servers_share_a_pool(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, SITE.replace("worker_nodes:", SECOND))
    peers = []
    for name in ("s", "t"):
        _, hook = said(tree, f"{name}/etc/kea/kea-dhcp4.conf")["hooks-libraries"]
        (settings,) = hook["parameters"]["high-availability"]
        assert settings["this-server-name"] == name
        peers.append(settings["peers"])
    assert peers[0] == peers[1]
    assert [(each["name"], each["role"]) for each in peers[0]] == [
        ("s", "primary"),
        ("t", "standby"),
    ]
    assert "t/etc/kea/kea-dhcp6.conf" not in tree.entries, "t cannot be asked over IPv6"
    assert list(staged(tmp_path, tree, FOUR)) == []


def test_two_servers_without_a_pool_need_not_talk(tmp_path: Path) -> None:
    text = SITE.replace("worker_nodes:", SECOND).replace("pool: 10.0.0.10-10.0.0.20", "boot: true")
    assert "hooks-libraries" not in said(tree_of(tmp_path, text), CONF)


@requires_real()
@pytest.mark.parametrize("checker", CHECKERS)
def test_kea_takes_it(checker: Any, tmp_path: Path) -> None:
    assert list(staged(tmp_path, tree_of(tmp_path), checker)) == []


@requires_real()
@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        (CONF, '"authoritative": true,', '"authoritative": true', "syntax error"),
        (CONF, "192.168.1.0/24", "192.168.1.0/33", "Invalid prefix length"),
        (CONF, "option[93].exists", "option[93].exist", "Invalid character"),
        (CONF6, '"interface": "eno9",', '"interfaces": "eno9",', "interfaces"),
    ],
)
def test_the_checker_points_at_the_line(
    path: str, old: str, new: str, says: str, tmp_path: Path
) -> None:
    tree = tree_of(tmp_path)
    text = text_of(tree, path)
    broken = text.replace(old, new)
    tree.entries = {path: tree.entries[path]._replace(content=broken.encode())}
    (failure,) = staged(tmp_path, tree, FOUR if path == CONF else SIX)
    assert failure.path == path
    assert says in failure.message
    line = text[: text.index(old)].count("\n") + 1
    assert failure.line in (line, line + 1)
    assert "/tmp" not in failure.message  # noqa: S108 - it has not been there for anybody else


def test_what_fits_into_a_line_is_one() -> None:
    value = {"a": {"b": [1, 2], "c": "ü"}, "long": ["x" * 50, "y" * 50]}
    text = written(value)
    assert json.loads(text) == value
    assert text.splitlines()[1] == '  "a": {"b": [1, 2], "c": "ü"},'
    assert max(map(len, text.splitlines())) < 100
