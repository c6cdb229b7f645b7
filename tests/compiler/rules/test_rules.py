"""The rules as a whole: registered, documented, tested, quick, and of few words."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.rules import PAGE, page
from tests.compiler import rules as rule_tests
from tests.compiler.rules.checking import Case
from tests.compiler.support import HEAD, ROOT, site_of
from threerc.compiler import rules
from threerc.compiler.findings import Finding
from threerc.compiler.model import Site
from threerc.compiler.rules import ALL, findings, run
from threerc.compiler.rules.base import Rule, collect, gib, listed


def cases() -> list[Case]:
    found: list[Case] = []
    for module in pkgutil.iter_modules(rule_tests.__path__):
        name = f"tests.compiler.rules.{module.name}"
        found += getattr(importlib.import_module(name), "CASES", [])
    return found


def found_in(folder: Path, text: str) -> list[Finding]:
    """All that is found in a site, by the reader and by the rules."""
    loaded = site_of(folder, text)
    return sorted(loaded.findings + findings(loaded))


def told(found: list[Finding]) -> list[tuple[int, str]]:
    return [(each.place.line, each.rule) for each in found]


def test_every_rule_of_a_module_is_registered() -> None:
    made: list[Rule] = []
    for module in pkgutil.iter_modules(rules.__path__):
        values = vars(importlib.import_module(f"threerc.compiler.rules.{module.name}")).values()
        made += [each for each in values if isinstance(each, Rule)]
    assert {each.id for each in made} == {each.id for each in ALL}
    assert len(ALL) > 50


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)
def test_every_rule_has_a_case_that_fires_and_one_that_does_not(rule: Rule) -> None:
    assert {case.fires for case in cases() if case.rule == rule.id} == {True, False}
    assert rule.reason.endswith(".")
    assert rule.hint
    assert not rule.hint.endswith(".")


def test_two_rules_cannot_have_one_id() -> None:
    with pytest.raises(ValueError, match=f"two rules are called {ALL[0].id}"):
        collect(ALL, ALL[:1])


def test_the_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_example_breaks_no_rule_but_for_its_farm(sns_pisa: Site) -> None:
    broken = {rule.id for rule, _ in run(sns_pisa, ROOT / "examples/sns-pisa")}
    assert broken == {"single-switch", "single-feed"}


def test_one_inherited_value_makes_one_finding(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
groups:
  farm:
    os: sl5
worker_nodes:
  wn[001-200]:
    groups: [farm]
    address: 192.168.1.1-192.168.1.200
  last:
    groups: [farm]
    address: 192.168.1.201
"""
    )
    (finding,) = found_in(tmp_path, text)
    assert told([finding]) == [(8, "os-exists")]
    assert finding.message == "there is no OS profile `sl5` (and 200 more hosts like it)"


def test_a_range_that_leaves_its_network_makes_one_finding(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
worker_nodes:
  wn[1-300]:
    address: 192.168.1.1-192.168.2.44
"""
    )
    found = found_in(tmp_path, text)
    assert told(found) == [(8, "address-reserved"), (8, "address-in-network")]
    assert [each.message for each in found] == [
        "192.168.1.254 of wn254 is the gateway of `lan` (and 1 more host like it)",
        "192.168.2.0 of wn256 lies in no network of the site (and 44 more hosts like it)",
    ]


def test_one_duplicate_mac_in_a_range_points_at_the_entry_that_made_it(tmp_path: Path) -> None:
    text = (
        HEAD.replace("192.168.1.0/24", "192.168.0.0/16")
        + """
worker_nodes:
  wn[001-500]:
    address: 192.168.2.1-192.168.3.244
    mac: 02:00:00:00:00:01-02:00:00:00:01:f4
  wn250:
    mac: 02:00:00:00:00:0a
"""
    )
    (finding,) = found_in(tmp_path, text)
    assert told([finding]) == [(11, "unique-mac")]
    assert finding.message == "02:00:00:00:00:0a of wn250 is also that of wn010 (line 9)"


def test_findings_of_an_inventory_point_at_its_own_line(tmp_path: Path) -> None:
    lines = ["name,mac,ip", "# the first rack", *(f"wn{n},,192.168.1.{n}" for n in range(1, 40))]
    lines[20] = "wn19,,192.168.9.19"
    (tmp_path / "nodes.csv").write_text("\n".join(lines), encoding="utf-8")
    text = HEAD + "inventories: [{file: nodes.csv, section: worker_nodes}]\n"
    (finding,) = found_in(tmp_path, text)
    assert finding.rule == "address-in-network"
    assert finding.place == (str(tmp_path / "nodes.csv"), 21, 7)


def test_rules_speak_beside_what_the_reader_found_but_not_of_its_consequences(
    tmp_path: Path,
) -> None:
    text = (
        HEAD
        + """
physical_hosts:
  p1: {address: 192.168.1.1, memory: 16GiB}
  p2: {address: nonsense, memory: 16GiB}
  p3: 5
virtual_machines:
  a: {address: 192.168.1.3, home: p3, memory: 1TiB}
  b: {address: 192.168.1.4, home: p2, memory: lots}
  c: {address: 192.168.1.4, home: p1, start_after: [d]}
  d: {address: 192.168.1.5}
  e: {address: 192.168.1.6, home: p9}
service_hosts:
  s: {address: 192.168.1.7, roles: [controler]}
"""
    )
    assert told(found_in(tmp_path, text)) == [
        (8, "value"),
        (9, "type"),
        (12, "size"),
        (13, "unique-address"),
        (14, "missing-key"),
        (15, "home-exists"),
        (17, "value"),
    ]


def test_a_reference_to_a_range_or_inventory_that_was_lost_is_no_finding(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
inventories: [{file: missing.csv, section: physical_hosts}]
worker_nodes:
  wn[1-: {}
virtual_machines:
  a: {address: 192.168.1.3, home: from-csv}
monitoring: {trusted: [wn1]}
"""
    )
    assert told(found_in(tmp_path, text)) == [(6, "inventory-exists"), (8, "range")]


def test_a_reference_to_an_entry_with_a_value_at_fault_is_no_finding(tmp_path: Path) -> None:
    """Nor if nothing is left of the entry without that value."""
    text = (
        HEAD
        + """
physical_hosts: {p1: {address: 192.168.1.1}}
virtual_machines:
  a: {address: 192.168.1.3, home: p1, volume: files}
volumes:
  files: {peers: [p1], disk: /dev/a, size: 1GiB}
"""
    )
    assert told(found_in(tmp_path, text)) == [(1, "service-missing"), (10, "value")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "physical_hosts:\nvirtual_machines:\nworker_nodes:\nservice_hosts:\n",
        "cabling:\nvolumes:\nmiddleware:\ngroups:\ndefaults:\ninventories:\nupdates:\n",
        "service_hosts:\n  s: {address: 192.168.1.1}\n",
        "cabling: {switches: {}, pdus: {}, ups: {}}\n",
        "cabling: {switches: {a: {uplinks: [a]}, b: {uplinks: [a]}}, pdus: {c: {}}}\n",
        "recovery: {minutes: {}}\ndns: {mx: []}\nmonitoring: {trusted: []}\n",
    ],
)
def test_a_site_with_next_to_nothing_breaks_no_rule(tmp_path: Path, text: str) -> None:
    assert found_in(tmp_path, HEAD + text) == []


def test_hostile_names_are_told_and_do_no_harm(tmp_path: Path) -> None:
    hostile = "a'; rm -rf / #"
    text = (
        HEAD
        + f"""
monitoring: {{trusted: ["x"]}}
volumes:
  v:
    peers: [p1, p2]
    disk: /dev/a
    size: 1GiB
    nfs: {{path: /srv/v, clients: ["{hostile}", "{"z" * 255}"]}}
"""
    )
    found = found_in(tmp_path, text)
    assert any(hostile in each.message for each in found)
    assert {each.rule for each in found} == {"server-exists", "peer-exists", "client-exists"}


def test_many_wrong_references(tmp_path: Path) -> None:
    vms = "\n".join(
        f"  vm{n}: {{address: 10.0.{n >> 8}.{n & 255}, home: ph{n}}}" for n in range(1, 3001)
    )
    hosts = "\n".join(f"  host{n}: {{address: 10.1.{n >> 8}.{n & 255}}}" for n in range(1, 3001))
    head = HEAD.replace("192.168.1.0/24", "10.0.0.0/8").replace("192.168.1.", "10.9.9.")
    loaded = site_of(tmp_path, f"{head}physical_hosts:\n{hosts}\nvirtual_machines:\n{vms}\n")
    found = findings(loaded)
    assert [each.rule for each in found].count("home-exists") == 3000


def test_ten_thousand_hosts() -> None:
    assert {rule.id for rule, _ in run(many_nodes(10_000))} == {"service-missing"}


def many_nodes(count: int) -> Site:
    return Site.model_validate(
        {
            "site": "big",
            "domain": "example.org",
            "networks": {"farm": {"prefix": "10.0.0.0/8", "boot": True}},
            "os_profiles": {
                "sl": {"installer": "image", "kernel": "k", "initrd": "i", "image": "http://a/"}
            },
            "worker_nodes": {
                f"wn{n}": {
                    "name": f"wn{n}",
                    "address": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
                    "mac": f"02:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
                    "os": "sl",
                }
                for n in range(1, count + 1)
            },
        }
    )


def test_networkx_is_not_loaded_for_a_site_without_graphs() -> None:
    program = (
        "import sys; from pathlib import Path; from threerc.compiler.source.load import load;"
        "from threerc.compiler.rules import findings;"
        "assert findings(load(Path(sys.argv[1]))) is not None;"
        "assert 'networkx' not in sys.modules"
    )
    site = ROOT / "tests/compiler/rules/plain.yaml"
    command = [sys.executable, "-c", program, str(site)]
    environment = {"PYTHONPATH": str(ROOT / ".src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_words_for_people() -> None:
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed([f"n{n}" for n in range(1002)]) == "n0, n1 and 1,000 more"
    assert [gib(size) for size in (1 << 30, 1536 << 20, 500 << 20, 3 << 40, 100)] == [
        "1 GiB",
        "1.5 GiB",
        "500 MiB",
        "3 TiB",
        "100 bytes",
    ]
