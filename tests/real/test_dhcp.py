"""What both DHCP servers tell machines: their address, and the boot loader that they can run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import compiled, good_site
from tests.lab import (
    Client,
    LabError,
    Namespace,
    client,
    dhcpd,
    dhcpd6,
    kea,
    namespace,
    requires_real,
)
from threerc.compiler.artefacts.dhcpd import compile_dhcpd
from threerc.compiler.artefacts.kea import compile_kea

pytestmark = requires_real()

SITE: Final = """
site: lab
domain: example.org
dhcp: {server: SERVER}
networks:
  lan:
    prefix: 192.168.1.0/24
    prefix6: fd00:1::/64
    gateway: 192.168.1.254
    domain: farm.example.org
    pool: 192.168.1.200-192.168.1.201
    boot: BOOT
service_hosts:
  s:
    address: 192.168.1.2
    address6: fd00:1::2
    interface: br0
    roles: [dhcp, tftp, dns, install, collector]
worker_nodes:
  wn1: {address: 192.168.1.11, address6: 'fd00:1::11', mac: "52:54:00:00:01:0b"}
"""
KNOWN, STRANGER = "52:54:00:00:01:0b", "52:54:00:00:01:ff"


@pytest.fixture(params=["dhcpd", "kea"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path / "net", "192.168.1.2/24", "fd00:1::2/64") as found:
        yield found


@pytest.fixture
def known(net: Namespace) -> Iterator[Client]:
    with client(net, KNOWN) as found:
        yield found


@pytest.fixture
def stranger(net: Namespace) -> Iterator[Client]:
    with client(net, STRANGER) as found:
        yield found


@contextmanager
def serving(net: Namespace, server: str, folder: Path, boot: str = "true") -> Iterator[None]:
    """The site's DHCP servers, of IPv4 and IPv6."""
    site = good_site(folder, SITE.replace("SERVER", server).replace("BOOT", boot))
    for artefact in (compile_dhcpd, compile_kea):
        for path, entry in compiled(artefact, site).entries.items():
            (folder / path.rpartition("/")[2]).write_bytes(entry.content)
    with ExitStack() as stack:
        if server == "kea":
            stack.enter_context(kea(net, folder / "kea-dhcp4.conf"))
            stack.enter_context(kea(net, folder / "kea-dhcp6.conf"))
        else:
            stack.enter_context(dhcpd(net, folder / "dhcpd.conf"))
            stack.enter_context(dhcpd6(net, folder / "dhcpd6.conf"))
        yield


@pytest.fixture
def served(net: Namespace, server: str, known: Client, tmp_path: Path) -> Iterator[Client]:
    """A host of the site, and those who serve it."""
    with serving(net, server, tmp_path):
        yield known


def test_a_host_has_its_address_whatever_boots_it(served: Client) -> None:
    lease = served.lease()
    assert lease["fixed-address"] == "192.168.1.11"
    assert lease["routers"] == "192.168.1.254"
    assert lease["domain-name"] == '"farm.example.org"'
    assert lease["domain-name-servers"] == "192.168.1.2"
    assert lease["domain-search"].split()[0].strip('",.') == "farm.example.org"
    assert lease["host-name"].strip('"').partition(".")[0] == "wn1"
    assert served.lease(architecture=7)["fixed-address"] == "192.168.1.11"


def test_each_architecture_has_its_boot_loader(served: Client) -> None:
    files = {each: served.lease(architecture=each).get("filename") for each in (0, 7, 9, 6, 11)}
    assert served.lease()["filename"] == '"pxelinux.0"'
    assert files == {
        0: '"pxelinux.0"',
        7: '"bootx64.efi"',
        9: '"bootx64.efi"',
        6: None,
        11: None,
    }


def test_who_boots_by_http_is_told_a_url_by_a_server_that_says_it_knows(served: Client) -> None:
    lease = served.lease(architecture=16)
    assert lease["filename"] == '"http://192.168.1.2/uefi/snponly.efi"'
    assert lease["vendor-class-identifier"] == '"HTTPClient"'
    assert "vendor-class-identifier" not in served.lease(architecture=7)


@pytest.mark.usefixtures("served")
def test_strangers_have_an_address_of_the_pool_and_boot_too(stranger: Client) -> None:
    lease = stranger.lease(architecture=7)
    assert lease["fixed-address"] in {"192.168.1.200", "192.168.1.201"}
    assert lease["filename"] == '"bootx64.efi"'


def test_a_network_that_boots_nobody_names_no_loader(
    net: Namespace, server: str, known: Client, tmp_path: Path
) -> None:
    with serving(net, server, tmp_path, boot="false"):
        lease = known.lease(architecture=7)
    assert lease["fixed-address"] == "192.168.1.11"
    assert "filename" not in lease


def test_a_host_has_its_ipv6_address(served: Client) -> None:
    assert served.addresses6() == ["fd00:1::11"]


PAIR: Final = """
site: lab
domain: example.org
dhcp: {server: kea}
networks:
  lan: {prefix: 192.168.1.0/24, boot: true, pool: 192.168.1.200-192.168.1.201}
service_hosts:
  a: {address: 192.168.1.2, roles: [dhcp, tftp]}
  b: {address: 192.168.1.3, roles: [dhcp]}
worker_nodes: {wn1: {address: 192.168.1.11, mac: "52:54:00:00:01:0b"}}
"""


def test_of_two_keas_the_second_knows_the_leases_and_answers_alone(
    net: Namespace, known: Client, stranger: Client, tmp_path: Path
) -> None:
    folder = "etc/kea/kea-dhcp4.conf"
    for path, entry in compiled(compile_kea, good_site(tmp_path, PAIR)).entries.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(entry.content)
    with client(net, "52:54:00:00:01:02") as card:
        second = card.host(tmp_path / "second", "192.168.1.3/24")
        with kea(second, tmp_path / "b" / folder):
            with kea(net, tmp_path / "a" / folder):
                before = _patiently(stranger)
            assert _patiently(known)["fixed-address"] == "192.168.1.11"
            assert stranger.lease()["fixed-address"] == before["fixed-address"]


def _patiently(who: Client) -> dict[str, str]:
    """A lease from servers that first have to agree on who gives it, or to see their network."""
    for _ in range(10):
        with suppress(LabError):
            return who.lease()
    raise LabError("nobody has answered")


def test_a_server_that_starts_before_its_network_is_heard_later(
    net: Namespace, server: str, tmp_path: Path
) -> None:
    with serving(net, server, tmp_path), client(net, KNOWN) as late:
        assert _patiently(late)["fixed-address"] == "192.168.1.11"
