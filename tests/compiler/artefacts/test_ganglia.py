"""gmond.conf and gmetad.conf: what they say, and that gmond and gmetad take them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.ganglia import carried, compile_ganglia
from threerc.compiler.model import Site
from threerc.compiler.verify.base import Failure, find_program
from threerc.compiler.verify.ganglia import CHECKERS

COLLECTOR = "bibe/etc/ganglia/gmond.conf"
SENDER = "alfa01/etc/ganglia/gmond.conf"
SERVED = "bibe/srv/install/files/gmond.d"
SHARED = f"{SERVED}/default.conf"
GMETAD = "bibe/etc/ganglia/gmetad.conf"
GMOND_CHECKER, GMETAD_CHECKER = CHECKERS
SITE = """
service_hosts:
  bibe: {address: 192.168.1.10, roles: [collector, gmetad]}
physical_hosts:
  alfa01: {address: 192.168.1.11}
"""
HOSTILE = "\"\\'&<>/$(){}`;#%àß€"
LINES = st.text(
    st.sampled_from(HOSTILE) | st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
    max_size=255,
)
HARMLESS = re.compile(r"[^\"&<>/\\$]*")
Broken = Callable[[str, str, str], list[Failure]]


@pytest.fixture
def texts(sns_pisa: Site) -> dict[str, str]:
    tree = compiled(compile_ganglia, sns_pisa)
    return {path: text_of(tree, path) for path in tree.entries}


@pytest.fixture
def broken(sns_pisa: Site, tmp_path: Path) -> Broken:
    """What both checkers say when one text in one of the example's files is another."""

    def check(path: str, old: str, new: str) -> list[Failure]:
        tree = compiled(compile_ganglia, sns_pisa)
        content = text_of(tree, path).replace(old, new, 1)
        tree.entries[path] = tree.entries[path]._replace(content=content.encode())
        return [each for checker in CHECKERS for each in staged(tmp_path, tree, checker)]

    return check


def section(text: str, name: str) -> list[str]:
    """The contents of the outermost sections of that name."""
    return re.findall(rf"^{name} {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)


def monitored(site: Site, **settings: object) -> Site:
    """The site with other monitoring settings."""
    return site.model_copy(update={"monitoring": site.monitoring.model_copy(update=settings)})


def test_all_send_to_both_collectors(texts: dict[str, str]) -> None:
    for path in (COLLECTOR, SENDER, SHARED, "bussolo/etc/ganglia/gmond.conf"):
        channels = section(texts[path], "udp_send_channel")
        assert [re.findall(r"\S+ = (\S+)", each) for each in channels] == [
            ["192.168.1.10", "8649"],
            ["192.168.1.9", "8649"],
        ]


def test_only_collectors_listen(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        if path.endswith("/gmond.conf"):
            collects = path.startswith(("bibe/etc", "bussolo/etc"))
            assert ("deaf = no" in text) == collects
            assert bool(section(text, "udp_recv_channel")) == collects
            assert bool(section(text, "tcp_accept_channel")) == collects


def test_controllers_and_those_trusted_read_the_xml(texts: dict[str, str]) -> None:
    (channel,) = section(texts[COLLECTOR], "tcp_accept_channel")
    allowed = ["127.0.0.1", "192.168.1.9", "192.168.1.10", "192.168.1.33", "192.168.2.250"]
    assert 'default = "deny"' in channel
    assert re.findall(r'ip = (\S+) mask = 32 action = "allow"', channel) == allowed
    assert f"\ntrusted_hosts {' '.join(allowed)}\n" in texts[GMETAD]


def test_gmetad_asks_one_collector_after_the_other(texts: dict[str, str]) -> None:
    line = 'data_source "SNS-Pisa" 15 192.168.1.10:8649 192.168.1.9:8649'
    assert line in texts[GMETAD].splitlines()


def test_a_host_with_a_folder_says_its_name_and_the_others_share_a_file(
    texts: dict[str, str],
) -> None:
    assert 'override_hostname = "alfa01.sns.it"\n  override_ip = 192.168.1.11' in texts[SENDER]
    assert "override" not in texts[SHARED]
    # A gmond that listens loses such a name: see tests/real/test_testbed_services.py.
    assert "override" not in texts["bibe/etc/ganglia/gmond.conf"]
    assert not any(path.startswith(("wn01", "gridce")) for path in texts)


def test_installed_hosts_find_their_own_file_by_their_addresses(texts: dict[str, str]) -> None:
    rows = "".join(f"192.168.1.1{n} alfa0{n}\n" for n in (1, 2, 3, 4))
    assert texts[f"{SERVED}/hosts"] == rows
    assert texts[f"{SERVED}/alfa01.conf"] == texts[SENDER]
    assert f"{SERVED}/bibe.conf" not in texts


def test_every_collector_is_sent_to_and_gmetad_asks_as_many_as_it_reads(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
service_hosts:
  bibe: {address: 192.168.1.10, roles: [gmetad]}
  c[01-16]: {address: 192.168.1.101-192.168.1.116, roles: [collector]}
"""
    )
    tree = compiled(compile_ganglia, good_site(tmp_path, text))
    assert len(section(text_of(tree, COLLECTOR), "udp_send_channel")) == 16
    assert ":8649 192.168.1.113:8649\n" in text_of(tree, GMETAD)
    assert [each for checker in CHECKERS for each in staged(tmp_path, tree, checker)] == []


def test_modules_are_where_the_systems_have_them(texts: dict[str, str]) -> None:
    def folders(path: str) -> set[str]:
        return set(re.findall(r'path = "(.*)/modload.so"', texts[path]))

    assert folders(SENDER) == {"/usr/lib/x86_64-linux-gnu/ganglia"}
    assert folders(SHARED) == {"/usr/lib/ganglia", "/usr/lib64/ganglia"}


def test_gmond_knows_every_metric(texts: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "gmond.conf"
    file.write_text(texts[SENDER])
    command = [find_program("gmond") or "gmond", "-c", str(file), "-m"]
    known = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in known.splitlines() if line.strip()}
    asked = set(re.findall(r'metric { name = "(\w+)"', texts[SENDER]))
    assert {"heartbeat", "load_five"} <= asked <= names


def test_multicast_stays_on_its_networks(sns_pisa: Site) -> None:
    tree = compiled(compile_ganglia, monitored(sns_pisa, mode="multicast"))
    (channel,) = section(text_of(tree, SHARED), "udp_send_channel")
    assert channel == "  mcast_join = 239.2.11.71\n  port = 8649\n  ttl = 1\n"
    heard = section(text_of(tree, COLLECTOR), "udp_recv_channel")
    assert ["mcast_if = eth1" in each for each in heard] == [False, True]
    assert all("bind = 239.2.11.71" in each for each in heard)


@pytest.mark.parametrize("mode", ["unicast", "multicast"])
def test_gmond_and_gmetad_take_it(sns_pisa: Site, tmp_path: Path, mode: str) -> None:
    tree = compiled(compile_ganglia, monitored(sns_pisa, mode=mode))
    assert list(staged(tmp_path, tree, GMOND_CHECKER)) == []
    assert list(staged(tmp_path, tree, GMETAD_CHECKER)) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cluster=LINES, owner=LINES)
@example(cluster=HOSTILE, owner=HOSTILE)
@example(cluster="${HOME}/..", owner="\\")
@pytest.mark.usefixtures("sns_pisa")
def test_gmond_and_gmetad_take_any_name(
    cluster: str, owner: str, tmp_path_factory: pytest.TempPathFactory, sns_pisa: Site
) -> None:
    tree = compiled(compile_ganglia, monitored(sns_pisa, cluster=cluster, owner=owner))
    (source,) = re.findall(r'^data_source "(.+)" 15 ', text_of(tree, GMETAD), re.MULTILINE)
    assert source.isascii()
    assert HARMLESS.fullmatch(source)
    assert f'cluster {{\n  name = "{source}"\n  owner = ' in text_of(tree, COLLECTOR)
    for checker in CHECKERS:
        assert list(staged(tmp_path_factory.mktemp("any"), tree, checker)) == []


@given(LINES)
def test_what_is_carried_is_safe_in_xml_and_as_a_folder(text: str) -> None:
    assert carried(text).isascii()
    assert HARMLESS.fullmatch(carried(text))


def test_names_keep_what_they_can() -> None:
    assert carried("Università di Pisa (SNS) 'grid' #1") == "Universita di Pisa (SNS) 'grid' #1"
    assert carried('R&D "x" ${HOME} ../..') == "R_D _x_ __HOME_ .._.."


@pytest.mark.parametrize("name", ["", "..", " . "])
def test_a_cluster_without_a_name_is_called_like_the_site(sns_pisa: Site, name: str) -> None:
    tree = compiled(compile_ganglia, monitored(sns_pisa, cluster=name))
    assert 'data_source "sns-pisa" ' in text_of(tree, GMETAD)


def test_many_trusted_hosts_are_spread_over_lines_that_gmetad_can_read(tmp_path: Path) -> None:
    trusted = [f"10.0.0.{n}" for n in range(1, 41)]
    text = f"{HEAD}{SITE}monitoring: {{trusted: [{', '.join(trusted)}]}}\n"
    tree = compiled(compile_ganglia, good_site(tmp_path, text))
    lines = re.findall(r"^trusted_hosts (.*)$", text_of(tree, GMETAD), re.MULTILINE)
    assert [address for line in lines for address in line.split()] == [
        "127.0.0.1",
        *trusted,
        "192.168.1.10",
    ]
    assert list(staged(tmp_path, tree, GMETAD_CHECKER)) == []


def test_without_a_collector_there_is_nothing(tmp_path: Path) -> None:
    text = HEAD + SITE.replace("collector, ", "")
    assert not compiled(compile_ganglia, good_site(tmp_path, text)).entries


def test_without_others_there_is_no_shared_file(tmp_path: Path) -> None:
    text = HEAD + SITE.replace("gmetad", "install")
    tree = compiled(compile_ganglia, good_site(tmp_path, text))
    assert sorted(tree.entries) == [SENDER, COLLECTOR, f"{SERVED}/hosts"]


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (SENDER, "deaf = yes", "deaf = maybe", "invalid boolean value for option 'deaf'"),
        (SHARED, "globals {", "globals {{", "unexpected"),
        (COLLECTOR, "host_dmax", "host_max", "no such option 'host_max'"),
        (GMETAD, "gridname", "grid_name", "Unknown Config-Option: 'grid_name'"),
        (GMETAD, "data_source", "# data", "doesn't have any data sources"),
        (GMETAD, "127.0.0.1 ", "127.0.0.256 ", "failed to resolve trusted host name 127.0.0.256"),
        (GMETAD, "15 192.168.1.10:8649 192.168.1.9:8649", "", "gmetad ended with status"),
        (GMETAD, "127.0.0.1", "127.0.0.1 " * 12, "more than 15 arguments"),
        (GMETAD, 'gridname "', 'gridname "' + "x" * 1100, "longer than 1023 bytes"),
    ],
)
def test_the_checkers_find(broken: Broken, path: str, old: str, new: str, message: str) -> None:
    failures = [each for each in broken(path, old, new) if message in each.message]
    assert [each.path for each in failures] == [path]


def test_the_checker_points_at_the_line_of_the_option(broken: Broken) -> None:
    assert broken(SENDER, "cluster {", "clusters {") == [
        Failure(SENDER, 14, "no such option 'clusters'")
    ]
    assert broken(SENDER, "deaf = yes", "deaf = maybe")[0].line == 8
