"""Files of former times: other than the compiled ones, and taken by the daemons all the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.compiler.artefacts.test_kea import SITE as KEA
from tests.compiler.support import SNS_PISA, compiled, good_site, staged, text_of
from tests.lab import requires_real
from threerc.compiler.artefacts.dhcpd import compile_dhcpd
from threerc.compiler.artefacts.kea import compile_kea
from threerc.compiler.model import Site
from threerc.compiler.source.load import load
from threerc.compiler.tree import Output, Tree
from threerc.compiler.verify.base import Checker
from threerc.compiler.verify.dhcpd import CHECKER as DHCPD
from threerc.compiler.verify.kea import CHECKERS as KEAS
from threerc.testbed.falsehoods import MODES, dhcp, formerly, lay, take_away, zone

ZONE = """\
$ORIGIN ci.example.org.
$TTL 86400

@ IN SOA one hostmaster (
  12         ; serial
  86400      ; refresh
  7200       ; retry
  3600000    ; expire
  3600       ; negative TTL
)

@         NS     one

one       A      192.168.30.1
vm1       A      192.168.30.21
vm1       HINFO  "mini" "ce"
vm2       A      192.168.30.71
vm2       HINFO  "mini" "base"

install   CNAME  one
"""


def sns_pisa() -> Site:
    site = load(SNS_PISA).site
    assert site is not None
    return site


def test_a_zone_of_former_times() -> None:
    told = zone(ZONE, "stale")
    assert "  11         ; serial\n" in told
    assert "one       A      192.168.30.1\n" in told
    assert 'vm1       A      192.168.30.72\nvm1       HINFO  "mini" "base"\n' in told
    assert 'vm2       A      192.168.30.121\nvm2       HINFO  "mini" "ce"\n' in told
    assert told.endswith("install   CNAME  one\n")


def test_a_zone_without_hosts_has_its_servers_still() -> None:
    told = zone(ZONE, "empty")
    assert re.findall(r"^(\S+) +(A|NS|CNAME|HINFO) ", told, re.MULTILINE) == [
        ("@", "NS"), ("one", "A"),
    ]  # fmt: skip


def test_where_all_hosts_are_of_a_kind_they_had_no_middleware_in_former_times() -> None:
    assert 'vm1       HINFO  "mini" "-"' in zone(ZONE.replace('"base"', '"ce"'), "stale")


def test_the_serial_of_a_first_zone_is_as_low_as_can_be() -> None:
    assert "  0          ; serial" in zone(ZONE.replace("12         ;", "0          ;"), "stale")


def test_nobody_had_the_address_of_another() -> None:
    small, taken = IPv4Network("192.0.2.0/30"), {"192.0.2.1"}
    assert formerly("192.0.2.1", small, taken) == "192.0.2.2"
    assert formerly("192.0.2.1", small, taken) == "192.0.2.1"  # there is no other


def checked(
    folder: Path,
    compile_one: Callable[[Site, Output], None],
    site: Site,
    checker: Checker,
    path: str,
    mode: str,
) -> str:
    """What a DHCP server is to read, which its own checker takes."""
    tree: Tree = compiled(compile_one, site)
    other = dhcp(text_of(tree, path), mode)
    tree.entries[path] = tree.entries[path]._replace(content=other.encode())
    assert list(staged(folder, tree, checker)) == []
    return other


@requires_real()
def test_dhcpd_takes_a_configuration_of_former_times(tmp_path: Path) -> None:
    path, checker = "bibe/etc/dhcp/dhcpd.conf", DHCPD
    now = text_of(compiled(compile_dhcpd, sns_pisa()), path)
    then = checked(tmp_path, compile_dhcpd, sns_pisa(), checker, path, "stale")
    addresses = [set(re.findall(r"fixed-address ([0-9.]+);", each)) for each in (now, then)]
    assert len(addresses[0]) == len(addresses[1])
    assert addresses[0].isdisjoint(addresses[1])
    bare = checked(tmp_path / "bare", compile_dhcpd, sns_pisa(), checker, path, "no-boot")
    assert "next-server" in now
    assert not re.search(r"^ *(next-server|filename) ", bare, re.MULTILINE)
    assert re.findall("fixed-address .*", bare) == re.findall("fixed-address .*", now)


@requires_real()
def test_kea_takes_a_configuration_of_former_times(tmp_path: Path) -> None:
    path, checker = "s/etc/kea/kea-dhcp4.conf", KEAS[0]
    site = good_site(tmp_path, KEA)
    now = text_of(compiled(compile_kea, site), path)
    then = checked(tmp_path, compile_kea, site, checker, path, "stale")
    assert '"ip-address": "192.168.1.11"' in now
    assert '"ip-address": "192.168.1.61"' in then
    bare = checked(tmp_path / "bare", compile_kea, site, checker, path, "no-boot")
    assert set(re.findall(r'"boot-file-name": "(.*)"', bare)) == {""}


@requires_real()
@pytest.mark.parametrize("mode", MODES["named"])
def test_named_takes_zones_of_former_times(tmp_path: Path, mode: str) -> None:
    """Its files name one another by their paths, of which none may lead to the true ones."""
    folder = tmp_path / "bind"
    folder.mkdir()
    (folder / "db.ci").write_text(ZONE)
    zones = f'zone "ci.example.org" {{ type primary; file "{folder}/db.ci"; }};\n'
    (folder / "named.conf.local").write_text(zones)
    (folder / "named.conf").write_text(f'include "{folder}/named.conf.local";\n')
    for _ in range(2):  # the second time over what the first has left
        conf = lay("named", mode, folder / "named.conf")
    (folder / "db.ci").unlink()
    done = subprocess.run(
        ["named-checkconf", "-z", str(conf)], capture_output=True, text=True, check=False
    )
    assert "loaded serial 11" in done.stdout
    assert done.returncode == 0


def test_a_tree_of_former_times_and_one_of_empty_files(tmp_path: Path) -> None:
    root = tmp_path / "tftp"
    (root / "pxelinux.cfg").mkdir(parents=True)
    (root / "pxelinux.cfg/local").write_text("default local\n")
    (root / "pxelinux.cfg/C0A81E15").symlink_to("local")
    then = lay("tftpd", "stale", root)
    (root / "pxelinux.cfg/C0A81E15").unlink()
    (root / "pxelinux.cfg/C0A81E15").symlink_to("mini")
    assert (then / "pxelinux.cfg/C0A81E15").read_text() == "default local\n"
    assert (lay("tftpd", "empty", root) / "pxelinux.cfg/local").read_text() == ""
    assert (root / "pxelinux.cfg/local").read_text() == "default local\n"


@pytest.mark.parametrize("daemon", MODES)
def test_of_lies_that_are_over_nothing_is_left(tmp_path: Path, daemon: str) -> None:
    path = tmp_path / "etc/path"
    path.parent.mkdir()
    if daemon == "tftpd":
        path.mkdir()
    else:
        path.write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert lay(daemon, "stale", path).exists()
    for _ in range(2):
        take_away(daemon, path)
    assert sorted(tmp_path.rglob("*")) == before
