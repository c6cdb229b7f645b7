"""CSV inventories: each host knows its own line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compiler.support import HEAD, site_of
from threerc.compiler.findings import Finding, Rejected
from threerc.compiler.model import KINDS, HostKind
from threerc.compiler.source import inventory
from threerc.compiler.source.document import locate

ALLOWED = {"address", "mac", "aliases", "cpus", "maxl", "description"}


def rows(folder: Path, text: str) -> tuple[dict[str, dict[str, object]], list[Finding]]:
    path = folder / "nodes.csv"
    path.write_bytes(text.encode())
    found, findings = inventory.read(path, ALLOWED)
    return {name: dict(entry) for name, entry in found}, findings


def test_fields_and_their_types(tmp_path: Path) -> None:
    text = 'Name , IP,cpus,maxl,aliases,description\na, 10.0.0.1 ,08,1.5,x y,"b, ""c"""\nb,,,,,\n'
    assert rows(tmp_path, text) == (
        {
            "a": {
                "address": "10.0.0.1",
                "cpus": 8,
                "maxl": 1.5,
                "aliases": ["x", "y"],
                "description": 'b, "c"',
            },
            "b": {},
        },
        [],
    )


@pytest.mark.parametrize("number", ["²", "1_0", "٣", "1e3", ".", "1.2.3", "9" * 5000, "-", "nan"])
def test_what_is_no_number_stays_text(tmp_path: Path, number: str) -> None:
    assert rows(tmp_path, f"name,cpus\na,{number}\n")[0] == {"a": {"cpus": number}}


def test_places_are_those_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_bytes("name,mac,ip\r\n# x\x0by\u2028z\r\n\r\nwn1, ,wn1\r\n".encode())
    ((name, entry),), findings = inventory.read(path, ALLOWED)
    assert (name, findings) == ("wn1", [])
    assert locate(entry, ["address"]) == (str(path), 4, 7)
    assert locate(entry, []) == (str(path), 4, 1)


def test_a_wrong_line_does_not_hide_the_others(tmp_path: Path) -> None:
    text = 'name,ip\na,1,2\nb,2\n,3\nc\nd,"x"y\ne,"x\nf,6\n'
    found, findings = rows(tmp_path, text)
    assert found == {"b": {"address": "2"}, "f": {"address": "6"}}
    assert [(each.place.line, each.rule) for each in findings] == [
        (2, "csv-fields"),
        (4, "csv-fields"),
        (5, "csv-fields"),
        (6, "csv"),
        (7, "csv"),
    ]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "there is no column `name`"),
        ("ip,mac", "there is no column `name`"),
        ("name;ip;mac", "there is no column `name`"),
        ("name,ip,address", "column `address` stands twice"),
        ("name,adress", "unknown column `adress`"),
    ],
)
def test_a_header_that_makes_no_sense(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(Rejected) as caught:
        rows(tmp_path, f"# nodes\n{header}\na,b,c\n")
    assert says in caught.value.findings[0].message
    assert caught.value.findings[0].rule == "csv-header"
    assert caught.value.findings[0].hint or "twice" in says


def test_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_bytes(b"name\n\xff\n")
    with pytest.raises(Rejected):
        inventory.read(tmp_path / "nodes.csv", ALLOWED)


@given(st.text("abc,\"'\n\r# \0\t;é", max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_brings_it_down(tmp_path: Path, text: str) -> None:
    found, findings = rows(tmp_path, "name,ip,mac\n" + text)
    assert all(found)
    assert all(each.place.line > 1 for each in findings)


def test_hosts_of_an_inventory_inherit_and_are_overridden(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("name,ip,cpus\nwn1,192.168.1.1,4\nwn2,192.168.1.2,\n")
    text = (
        HEAD
        + """
inventories: [{file: nodes.csv, section: worker_nodes, groups: [farm]}]
groups: {farm: {cpus: 8, description: farm}}
worker_nodes:
  wn2: {cpus: 16}
"""
    )
    loaded = site_of(tmp_path, text)
    assert loaded.findings == []
    assert loaded.site is not None
    nodes = loaded.site.worker_nodes
    assert [(nodes[n].cpus, nodes[n].description) for n in nodes] == [(4, "farm"), (16, "farm")]
    assert str(nodes["wn2"].address) == "192.168.1.2"
    assert loaded.place(("worker_nodes", "wn1", "cpus")) == (str(tmp_path / "nodes.csv"), 2, 17)
    assert loaded.place(("worker_nodes", "wn2", "cpus")).line == 9
    assert loaded.place(("worker_nodes", "wn2", "address")).line == 3
    assert loaded.place(("worker_nodes", "wn2", "description")).line == 7


def test_a_host_that_stands_twice_is_told_at_its_second_line(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("name,ip\nwn1,192.168.1.1\nwn1,192.168.1.2\n")
    text = HEAD + "inventories: [{file: nodes.csv, section: worker_nodes}]\n"
    (finding,) = site_of(tmp_path, text).findings
    assert finding.rule == "unique-name"
    assert finding.place == (str(tmp_path / "nodes.csv"), 3, 1)
    assert finding.message.endswith("nodes.csv:2")
    assert finding.hint == "every host has one entry"


def test_a_range_over_a_part_of_another_is_told_how_to_say_it(tmp_path: Path) -> None:
    farm = "worker_nodes:\n  wn[1-3]: {address: 192.168.1.1-192.168.1.3}\n  wn[2-3]: {cpus: 3}\n"
    (finding,) = site_of(tmp_path, HEAD + farm).findings
    assert finding.message.startswith("host `wn2` and 1 more stand here again")
    assert finding.hint is not None
    assert finding.hint.startswith("split the ranges")


WRITTEN = {
    "address": "192.168.1.11",
    "address6": "fd00::11",
    "aliases": "x y",
    "allowed": "p p",
    "anti_affinity": "group",
    "boot": "local",
    "bridge": "br1",
    "cpus": "4",
    "description": "any text",
    "device": "vda",
    "disk": "20GiB",
    "dns": "forward",
    "home": "p",
    "hypervisor": "xen",
    "image": "/dev/vg0/web",
    "inst": "1",
    "interface": "eno1",
    "kvm": "false",
    "mac": "02:00:00:00:00:11",
    "maxl": "2.5",
    "memory": "2GiB",
    "middleware": "mw",
    "os": "os",
    "pdus": "pdu1 pdu2",
    "priority": "-1",
    "roles": "dns tftp",
    "ssh_host_keys": "ssh-ed25519 AAAAC3Nza root@a ssh-rsa AAAAB3Nza root@a",
    "start_after": "v w",
    "switches": "sw1 sw2",
    "volume": "vol",
}


@pytest.mark.parametrize("section", sorted(KINDS))
def test_every_column_that_the_hint_offers_can_be_read(section: HostKind, tmp_path: Path) -> None:
    text = f"inventories: [{{file: nodes.csv, section: {section}}}]\n"
    (tmp_path / "nodes.csv").write_text("name,disks\na,sda\n", encoding="utf-8")
    (finding,) = site_of(tmp_path, HEAD + text).findings
    assert finding.message == "unknown column `disks`"
    columns = finding.hint.removeprefix("columns are: name, ip, ").split(", ")
    fields = ",".join(WRITTEN[each] for each in columns)
    (tmp_path / "nodes.csv").write_text(f"name,{','.join(columns)}\na,{fields}\n", encoding="utf-8")
    loaded = site_of(tmp_path, HEAD + text)
    assert loaded.findings == []
    assert loaded.site is not None
    assert len(loaded.site.hosts["a"].ssh_host_keys) == 2
