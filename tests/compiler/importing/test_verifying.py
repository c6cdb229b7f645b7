"""The comparison sees every change of a site that means something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.importing.trees import example, imported
from tests.compiler.support import TODAY
from threerc.compiler.importing import run
from threerc.compiler.importing.facts import Facts


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, str]:
    folder = tmp_path_factory.mktemp("sns-pisa")
    facts, site, compared = imported(example("sns-pisa", folder / "files"), folder / "site")
    assert compared.differences == []
    return facts, site.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "address: 192.168.1.51,",
            "address: 192.168.1.61,",
            {
                "02:00:c0:a8:01:33 (vrt1) has 192.168.1.61 instead of 192.168.1.51",
                "51.1.168.192.in-addr.arpa. PTR vrt1.sns.it. is missing",
                "61.1.168.192.in-addr.arpa. PTR vrt1.sns.it. is new",
                "vrt1.sns.it. A 192.168.1.51 is missing",
                "vrt1.sns.it. A 192.168.1.61 is new",
            },
        ),
        (
            "02:00:c0:a8:01:33",
            "02:00:c0:a8:01:ff",
            {
                "02:00:c0:a8:01:33 (vrt1, 192.168.1.51) has no address",
                "02:00:c0:a8:01:ff had no address of DHCP, and has one",
            },
        ),
        (
            "aliases: [ns2]",
            "aliases: [ns3]",
            {
                "ns2.sns.it. CNAME bussolo.sns.it. is missing",
                "ns3.sns.it. CNAME bussolo.sns.it. is new",
            },
        ),
        (
            "pool: 192.168.1.200-",
            "pool: 192.168.1.201-",
            {
                "the pool 192.168.1.200-192.168.1.220 is gone, or not the same",
                "the pool 192.168.1.201-192.168.1.220 is new",
            },
        ),
        (
            "dual_boot: {disks: [sda, sdb]}",
            "dual_boot: {disks: [sda, sdb]}\n    boot: disk2",
            {f"wn0{n} boots `disk2` instead of `disk1`" for n in (1, 2, 3, 4)},
        ),
        (
            "  vrt2: {",
            "  vrt2: {dhcp: [default-lease-time 60], ",
            {"vrt2 is told `default-lease-time 60` instead of `86400`"},
        ),
        (
            "  vrt2: {",
            "  vrt2: {dns: forward, ",
            {"52.1.168.192.in-addr.arpa. PTR vrt2.sns.it. is missing"},
        ),
        ("    os: debian\n", "    os: debian\n    maxl: 3\n", {
            f"PH alfa0{n} is not the same in hosts.def" for n in (1, 2, 3, 4)
        }),
        ("port: 7789", "port: 7799", {"volume shared is not the same"}),
    ],
)  # fmt: skip
def test_a_change_is_seen(
    before: tuple[Facts, str], old: str, new: str, told: set[str], tmp_path: Path
) -> None:
    facts, text = before
    assert text.count(old) >= 1
    site = tmp_path / "site.yaml"
    site.write_text(text.replace(old, new, 1), encoding="utf-8")
    differences = run.verify(facts, site, TODAY).differences
    assert {each.what for each in differences} == told
    assert all(
        each.place for each in differences if " new" not in each.what and "had no" not in each.what
    )


def test_a_ttl_is_seen(before: tuple[Facts, str], tmp_path: Path) -> None:
    facts, text = before
    site = tmp_path / "site.yaml"
    site.write_text(text.replace("dns:\n", "dns:\n  ttl: 60\n", 1), encoding="utf-8")
    found = [each.what for each in run.verify(facts, site, TODAY).differences]
    assert "vrt1.sns.it. A 192.168.1.51 has the TTL 60 instead of 86400" in found
    assert len(found) > 70
