"""The examples: valid, and of the sizes that they are there to show."""

from __future__ import annotations

import pytest

from tests.compiler.support import ROOT
from threerc.compiler.findings import Finding
from threerc.compiler.model import Site
from threerc.compiler.rules import findings
from threerc.compiler.source.load import load

EXAMPLES = ROOT / "examples"


def read(name: str) -> tuple[Site, list[Finding]]:
    loaded = load(EXAMPLES / name / "site.yaml")
    assert loaded.site is not None
    return loaded.site, [*loaded.findings, *findings(loaded)]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLES.glob("*/site.yaml")))
def test_every_example_is_valid(name: str) -> None:
    _, found = read(name)
    assert [each for each in found if each.severity == "error"] == []


def test_the_smallest_useful_site_is_small() -> None:
    site, found = read("minimal")
    assert found == []
    assert len((EXAMPLES / "minimal/site.yaml").read_text(encoding="utf-8").splitlines()) < 30
    assert all(site.installs(node) and node.mac for node in site.worker_nodes.values())


def test_the_tier_2_centre_has_its_2000_cpus_and_survives_any_physical_host() -> None:
    site, found = read("infn-pisa")
    assert sum(node.cpus or 0 for node in site.worker_nodes.values()) == 2000
    assert (len(site.worker_nodes), len(site.physical_hosts), len(site.virtual_machines)) == (
        500,
        10,
        40,
    )
    assert sum(node.dual_boot is not None for node in site.worker_nodes.values()) == 40
    assert site.recovery.n_plus_one == "error"
    assert {each.rule for each in found} == {"single-switch", "single-feed"}
