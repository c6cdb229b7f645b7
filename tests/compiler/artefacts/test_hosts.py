"""/etc/hosts and the groups: what they say, read back by Python's parsers and ClusterShell's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
from ClusterShell.NodeUtils import GroupResolverConfig
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.hosts import compile_hosts
from threerc.compiler.artefacts.node_sets import fold
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.base import Failure
from threerc.compiler.verify.hosts import CHECKER

HOSTS = "bibe/etc/hosts"
SHARED = "bibe/srv/install/files/hosts"
GROUPS = "bibe/etc/clustershell/groups.d/site.yaml"
SERVER = "service_hosts:\n  bibe: {address: 192.168.1.10, roles: [install]}\n"

LABELS = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,10}[A-Za-z0-9])?", fullmatch=True)
NUMBERED = st.builds(
    lambda stem, number, width: f"{stem}{number:0{width}}",
    st.sampled_from(["wn", "r1n", "a-1-", "x"]),
    st.integers(0, 120),
    st.integers(1, 4),
)
Broken = Callable[[str, str, str], list[Failure]]
NODE_NAMES = st.one_of(LABELS.filter(lambda name: not name.isdigit()), NUMBERED)


@pytest.fixture
def broken(sns_pisa: Site, tmp_path: Path) -> Broken:
    """What the checker says of the example's files when one text in one of them is another."""

    def check(path: str, old: str, new: str) -> list[Failure]:
        tree = compiled(compile_hosts, sns_pisa)
        content = text_of(tree, path).replace(old, new, 1)
        tree.entries[path] = tree.entries[path]._replace(content=content.encode())
        return list(staged(tmp_path, tree, CHECKER))

    return check


def entries(text: str) -> dict[str, list[str]]:
    """Names by address."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return {line[0]: line[1:] for line in lines if line}


def resolver(tree: Tree, folder: Path) -> GroupResolverConfig:
    """ClusterShell's own, with the compiled files in the place of the system's."""
    for path in (GROUPS, "bibe/etc/clustershell/groups.conf"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(tree, path).replace("/etc/clustershell", f"{folder}/none"))
    return GroupResolverConfig([str(folder / "bibe/etc/clustershell/groups.conf")])


def test_every_address_has_its_names(sns_pisa: Site) -> None:
    found = entries(text_of(compiled(compile_hosts, sns_pisa), HOSTS))
    expected = {}
    for host in sns_pisa.hosts.values():
        aliases = list(host.aliases)
        for name, interface in sns_pisa.interfaces(host):
            for address in (interface.address, interface.address6):
                if address is not None:
                    expected[str(address)] = [f"{name}.sns.it", name, *aliases]
            aliases = []
    for own in ("127.0.0.1", "::1", "ff02::1", "ff02::2"):
        found.pop(own)
    assert found == expected
    assert found["192.168.1.10"] == ["bibe.sns.it", "bibe", "ganglia", "install", "ns1"]
    assert found["192.168.2.250"] == ["bibe-eth1.sns.it", "bibe-eth1"]


def test_addresses_ascend(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_hosts, sns_pisa), HOSTS)
    order = ["192.168.1.9\t", "192.168.1.10\t", "192.168.2.1\t", "fd00:5:2::1\t", "fd00:5:2::2\t"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)


def test_all_hosts_with_a_folder_have_it_and_the_others_fetch_it(sns_pisa: Site) -> None:
    tree = compiled(compile_hosts, sns_pisa)
    with_file = {path.partition("/")[0] for path in tree.entries if path.endswith("/etc/hosts")}
    assert with_file == {"bibe", "bussolo", "alfa01", "alfa02", "alfa03", "alfa04"}
    assert tree.entries[SHARED].content is tree.entries[HOSTS].content


def test_a_virtual_machine_with_a_role_has_a_folder(tmp_path: Path) -> None:
    text = HEAD + "physical_hosts:\n  a: {address: 192.168.1.1}\nvirtual_machines:\n"
    text += "  v: {address: 192.168.1.2, home: a, roles: [controller]}\n"
    text += "  w: {address: 192.168.1.3, home: a}\n"
    tree = compiled(compile_hosts, good_site(tmp_path, text))
    assert {path.partition("/")[0] for path in tree.entries} == {"a", "v"}


@pytest.mark.parametrize(
    ("group", "nodes"),
    [
        ("@wn", "wn[01-04]"),
        ("@ph", "alfa[01-04]"),
        ("@vm", "gridce,gridse,lcg,pbs[01-03],vrt[1-2]"),
        ("@service", "bibe,bussolo"),
        ("@pbs", "pbs[01-03]"),
        ("@group:farm", "wn[01-04]"),
        ("@role:dhcp", "bibe"),
        ("@os:sl4-64", "pbs[01-03],wn[01-04]"),
        ("@mw:ig_CE", "gridce"),
        ("@all", "alfa[01-04],bibe,bussolo,gridce,gridse,lcg,pbs[01-03],vrt[1-2],wn[01-04]"),
        ("@wn!@os:sl4-64", ""),
    ],
)
def test_clustershell_knows_the_group(
    sns_pisa: Site, tmp_path: Path, group: str, nodes: str
) -> None:
    found = NodeSet(group, resolver=resolver(compiled(compile_hosts, sns_pisa), tmp_path))
    assert found == NodeSet(nodes, resolver=RESOLVER_NOGROUP)


def test_all_are_all(sns_pisa: Site, tmp_path: Path) -> None:
    groups = resolver(compiled(compile_hosts, sns_pisa), tmp_path)
    assert set(NodeSet.fromall(resolver=groups)) == set(sns_pisa.hosts)


def test_a_kind_goes_before_a_group_of_its_name(tmp_path: Path) -> None:
    text = HEAD + "groups: {wn: {}, 'no': {}, '1e5': {}, a.b+c: {}}\n" + SERVER
    text += "worker_nodes:\n  n1: {address: 192.168.1.1, groups: [wn, 'no', '1e5', a.b+c]}\n"
    text += "  n2: {address: 192.168.1.2}\n"
    tree = compiled(compile_hosts, good_site(tmp_path, text))
    groups = resolver(tree, tmp_path)
    assert set(NodeSet("@wn", resolver=groups)) == {"n1", "n2"}
    for group in ("@group:wn", "@no", "@1e5", "@a.b+c"):
        assert set(NodeSet(group, resolver=groups)) == {"n1"}
    assert list(staged(tmp_path, tree, CHECKER)) == []


@given(st.sets(NODE_NAMES, min_size=1, max_size=60))
def test_a_folded_node_set_is_its_names(names: set[str]) -> None:
    assert set(NodeSet(fold(names), resolver=RESOLVER_NOGROUP)) == names


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([f"wn{n:03}" for n in range(1, 201)], "wn[001-200]"),
        (["wn1", "wn2", "wn3", "wn10"], "wn[1-3,10]"),
        (["wn09", "wn10", "wn100", "wn1"], "wn[1,100],wn[09-10]"),
        (["bibe", "alfa02", "alfa01"], "alfa[01-02],bibe"),
        (["wn", "wn5"], "wn,wn5"),
    ],
)
def test_names_are_folded_as_a_person_would(names: list[str], folded: str) -> None:
    assert fold(names) == folded


def test_what_is_compiled_passes(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_hosts, sns_pisa), CHECKER)) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("127.0.0.1\tlocalhost", "", 0, "localhost is missing"),
        ("192.168.1.11\t", "192.168.1.1a\t", 11, "192.168.1.1a is not an address"),
        ("192.168.1.11\t", "192.168.1.12\t", 12, "192.168.1.12 is on line 11 already"),
        ("alfa01.sns.it alfa01", "alfa01.sns.it bibe", 11, "bibe is 192.168.1.10 already"),
        ("lcg.sns.it", "lc_g.sns.it", 17, "lc_g.sns.it is not a host name"),
        ("vrt2.sns.it vrt2", "", 22, "192.168.1.52 has no name"),
    ],
)
def test_the_checker_points_at_the_line_of_a_bad_entry(
    broken: Broken, old: str, new: str, line: int, message: str
) -> None:
    failures = broken(HOSTS, old, new)
    assert [(each.path, each.line) for each in failures if each.message == message] == [
        (HOSTS, line)
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("wn[01-04]", "wn[01-05]", "@site:farm has wn05, which is in no hosts file"),
        ("@ph", "@hp", "@site:all has @hp, which is in no hosts file"),
        ('"farm"', '"farm', "not YAML"),
        ("site:", "sites:", "groups.conf does not name one of these as its default"),
        ('"farm":', "1.0e+5:", "the group 100000.0 is not a text"),
    ],
)
def test_the_checker_finds_a_bad_group(broken: Broken, old: str, new: str, message: str) -> None:
    failures = [each for each in broken(GROUPS, old, new) if message in each.message]
    assert [each.path for each in failures] == [GROUPS]


def test_a_site_without_controllers_and_install_servers_has_no_groups(tmp_path: Path) -> None:
    site = good_site(tmp_path, HEAD + "service_hosts:\n  a: {address: 192.168.1.1}\n")
    assert list(compiled(compile_hosts, site).entries) == ["a/etc/hosts"]
