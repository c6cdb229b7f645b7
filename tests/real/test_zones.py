"""A real named with the compiled /etc/bind of a server, asked from inside and outside the site."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.compiler.support import compiled, good_site
from tests.lab import Namespace, namespace, requires_real
from tests.lab.namespace import BRIDGE
from tests.lab.process import running, tail, wait_until
from threerc.compiler.artefacts.zones import compile_zones
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.base import find_program

pytestmark = requires_real()

# The server's addresses. The client reaches each from the same network: one is the site's.
INSIDE = "192.168.1.10"
OUTSIDE = "198.51.100.1"
READY_SECONDS = 20
CLIENT_MAC = "02:00:00:00:00:02"
CLONE_NEWNET = 0x40000000
# `ip netns exec` has given it mounts of its own: the machine's /etc/bind is not touched.
START = """
mount --bind "$1" /etc/bind
mount -t tmpfs none /var/cache/bind
mount -t tmpfs none /run
exec "$2" -g
"""
PARTS = """
site: parts
domain: example.org
networks:
  lan: {prefix: 192.168.1.0/26}
  more: {prefix: 192.168.1.64/27}
service_hosts:
  bibe: {address: 192.168.1.10, roles: [dns]}
  "007": {address: 192.168.1.70}
"""
Ask = Callable[[str, str, str], dns.message.Message]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[Namespace, Ask]]:
    """The server's namespace, and a way to ask it from another: all of one's own is localhost."""
    with (
        namespace(tmp_path / "server", f"{INSIDE}/24", f"{OUTSIDE}/24") as server,
        namespace(tmp_path / "client", "192.168.1.77/24", "198.51.100.77/24") as client,
        ThreadPoolExecutor(1, initializer=enter, initargs=(client.name,)) as inside,
    ):
        peer = ("peer", "name", "wire", "netns", client.name)
        server.ip("link", "add", "wire", "type", "veth", *peer)
        client.ip("link", "set", BRIDGE, "address", CLIENT_MAC)
        for end in (server, client):
            end.ip("link", "set", "wire", "master", BRIDGE, "up")

        def ask(name: str, kind: str, server: str) -> dns.message.Message:
            query = dns.message.make_query(name, kind)
            send = dns.query.tcp if kind == "AXFR" else dns.query.udp
            return inside.submit(send, query, server, timeout=5).result()

        yield server, ask


def enter(name: str) -> None:
    """Move the calling thread into a network namespace."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)


@contextmanager
def named(net: Namespace, tree: Tree) -> Iterator[None]:
    """named with what the tree has for bibe laid over Debian's /etc/bind."""
    program = find_program("named")
    assert program, "named is missing (Debian: bind9)"
    folder = net.work / "bind"
    shutil.copytree("/etc/bind", folder)
    for path, entry in tree.entries.items():
        if path.startswith("bibe/etc/bind/"):
            (folder / Path(path).name).write_bytes(entry.content)
    log = net.work / "named.log"
    start = ["ip", "netns", "exec", net.name, "sh", "-ec", START, "sh", str(folder), program]
    with running(start, log) as process:
        try:
            wait_until(lambda: b" running\n" in log.read_bytes(), "running", process, READY_SECONDS)
            yield
        finally:
            print(tail(log))  # noqa: T201 - pytest shows it where the test fails
        assert process.poll() is None


def answers(message: dns.message.Message) -> list[str]:
    """The data of an authoritative answer."""
    assert message.rcode() == dns.rcode.NOERROR
    assert message.flags & dns.flags.AA
    return [record.to_text() for rrset in message.answer for record in rrset]


def test_every_kind_of_record_is_answered(sns_pisa: Site, lab: tuple[Namespace, Ask]) -> None:
    server, ask = lab
    with named(server, compiled(compile_zones, sns_pisa)):
        for at in (INSIDE, OUTSIDE):
            assert answers(ask("gridce.sns.it", "A", at)) == ["192.168.1.31"]
            assert answers(ask("GRIDCE.sns.it", "HINFO", at)) == ['"sl4-32" "ig_CE"']
            assert answers(ask("lcg.sns.it", "HINFO", at)) == ['"sl4-32" ""']
            assert answers(ask("wn01.sns.it", "AAAA", at)) == ["fd00:5:2::1"]
            assert answers(ask("ganglia.sns.it", "A", at)) == ["bibe.sns.it.", "192.168.1.10"]
            assert answers(ask("sns.it", "MX", at)) == ["10 lcg.sns.it."]
            assert sorted(answers(ask("sns.it", "NS", at))) == ["bibe.sns.it.", "bussolo.sns.it."]
            assert " 2026112300 " in answers(ask("sns.it", "SOA", at))[0]
            for reverse, name in (
                ("31.1.168.192.in-addr.arpa", "gridce.sns.it."),
                ("250.2.168.192.in-addr.arpa", "bibe-eth1.sns.it."),
                ("1" + 15 * ".0" + ".0.0.0.0.2.0.0.0.5.0.0.0.0.0.d.f.ip6.arpa", "wn01.sns.it."),
            ):
                assert answers(ask(reverse, "PTR", at)) == [name]


def test_only_the_site_may_recurse_and_nobody_may_transfer(
    sns_pisa: Site, lab: tuple[Namespace, Ask]
) -> None:
    server, ask = lab
    with named(server, compiled(compile_zones, sns_pisa)):
        assert ask("sns.it", "SOA", INSIDE).flags & dns.flags.RA
        assert not ask("sns.it", "SOA", OUTSIDE).flags & dns.flags.RA
        assert ask("example.com", "A", OUTSIDE).rcode() == dns.rcode.REFUSED
        for at in (INSIDE, OUTSIDE):
            assert ask("sns.it", "AXFR", at).rcode() == dns.rcode.REFUSED
        assert answers(ask("localhost", "A", INSIDE)) == ["127.0.0.1"]


def test_internal_hinfo_is_told_to_the_site_only(
    sns_pisa: Site, lab: tuple[Namespace, Ask]
) -> None:
    server, ask = lab
    internal = sns_pisa.dns.model_copy(update={"hinfo": "internal"})
    site = sns_pisa.model_copy(update={"dns": internal})
    with named(server, compiled(compile_zones, site)):
        assert answers(ask("gridce.sns.it", "HINFO", INSIDE)) == ['"sl4-32" "ig_CE"']
        assert answers(ask("gridce.sns.it", "HINFO", OUTSIDE)) == []
        for at in (INSIDE, OUTSIDE):
            assert answers(ask("gridce.sns.it", "A", at)) == ["192.168.1.31"]
            assert answers(ask("31.1.168.192.in-addr.arpa", "PTR", at)) == ["gridce.sns.it."]
        assert ask("sns.it", "SOA", INSIDE).flags & dns.flags.RA
        assert ask("example.com", "A", OUTSIDE).rcode() == dns.rcode.REFUSED
        assert answers(ask("localhost", "A", INSIDE)) == ["127.0.0.1"]


def test_parts_of_a_private_24_are_found(lab: tuple[Namespace, Ask], tmp_path: Path) -> None:
    server, ask = lab
    with named(server, compiled(compile_zones, good_site(tmp_path, PARTS))):
        assert answers(ask("70.1.168.192.in-addr.arpa", "PTR", INSIDE)) == [
            "70.64-95.1.168.192.in-addr.arpa.",
            "007.example.org.",
        ]
        assert ask("99.1.168.192.in-addr.arpa", "PTR", INSIDE).rcode() == dns.rcode.NXDOMAIN
