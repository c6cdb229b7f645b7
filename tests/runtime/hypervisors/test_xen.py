"""Xen, through a real sshd; `xl` and `drbdadm` are stand-ins: see their docstrings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors import disks
from tests.runtime.hypervisors.contract import HypervisorContract
from tests.runtime.hypervisors.site import HOSTS, MACHINES
from tests.runtime.hypervisors.standin_hosts import StandinHosts, standin_hosts
from threerc.runtime.errors import Refused

pytestmark = requires_real()

XL: dict[str, Any] = {"domains": {}, "last": 0, "stubborn": [], "broken": [], "moved": []}
DRBD: dict[str, Any] = {"roles": {}, "told": []}


class XenHosts(StandinHosts):
    def alive(self, host: str) -> set[str]:
        return set(self.state(host, "xl")["domains"])

    def pause(self, host: str, vm: str) -> None:
        domains = self.state(host, "xl")["domains"]
        domains[vm]["state"] = "paused"
        self.change(host, "xl", domains=domains)

    def disk(self, vm: str) -> Path:
        return Path(self.config.images) / f"{vm}.qcow2"

    def snapshot(self, vm: str) -> None:
        disks.snapshot(self.disk(vm))

    def is_as_in_snapshot(self, vm: str) -> bool:
        return disks.is_as_in_snapshot(self.disk(vm))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XenHosts]:
    programs = {"xl": ("xl", XL), "drbdadm": ("drbdadm", DRBD)}
    with standin_hosts(tmp_path_factory.mktemp("xen"), "xen", programs) as found:
        yield XenHosts(found.work, found.config, found.sshds)


@pytest.fixture
def hosts(both: XenHosts) -> XenHosts:
    for host in HOSTS:
        both.change(host, "xl", **XL)
        both.change(host, "drbdadm", **DRBD)
    for vm in MACHINES:
        disks.create(both.disk(vm))
    return both


class TestXen(HypervisorContract):
    def test_says_so_when_a_copy_does_not_die(self, hosts: XenHosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        hosts.change("alfa01", "xl", stubborn=["vrt1"])
        with pytest.raises(Refused, match="vrt1 still runs"):
            there.kill("vrt1")

    def test_opens_a_mirrored_volume_before_the_vm_and_leaves_it_after(
        self, hosts: XenHosts
    ) -> None:
        there = self.at(hosts, "alfa01")
        there.start("gridse")
        assert hosts.state("alfa01", "drbdadm")["roles"] == {"gridse": "Primary"}
        there.kill("gridse")
        told = hosts.state("alfa01", "drbdadm")["told"]
        assert told == [["primary", "gridse"], ["role", "gridse"], ["secondary", "gridse"]]

    def test_starts_nothing_on_a_volume_that_it_does_not_get(self, hosts: XenHosts) -> None:
        hosts.change("alfa01", "drbdadm", roles={"gridse": "held"})
        with pytest.raises(Refused, match="held open by someone"):
            self.at(hosts, "alfa01").start("gridse")
        assert hosts.alive("alfa01") == set()

    def test_leaves_a_volume_to_others_where_it_cannot_start_the_vm(self, hosts: XenHosts) -> None:
        hosts.change("alfa01", "xl", broken=["gridse"])
        with pytest.raises(Refused, match="unable to add disk"):
            self.at(hosts, "alfa01").start("gridse")
        assert hosts.state("alfa01", "drbdadm")["roles"] == {"gridse": "Secondary"}

    def test_leaves_a_volume_alone_where_it_is_not_open(self, hosts: XenHosts) -> None:
        self.at(hosts, "alfa02").kill("gridse")
        assert hosts.state("alfa02", "drbdadm")["told"] == [["role", "gridse"]]

    def test_moves_a_running_vm(self, hosts: XenHosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        there.migrate("vrt1", "alfa02")
        assert hosts.state("alfa01", "xl")["moved"] == [["vrt1", "127.0.0.12"]]
        assert there.running() == frozenset()

    def test_defines_what_the_site_says(self, hosts: XenHosts) -> None:
        there = self.at(hosts, "alfa01")
        text = there.definition("gridse")  # type: ignore[attr-defined]
        assert 'disk = [ "format=raw,vdev=sda,target=/dev/drbd3" ]' in text
        assert 'vif = [ "mac=02:00:00:00:02:10,bridge=br0" ]' in text
        assert 'boot = "c"' in text
        assert 'boot = "nc"' in there.definition("vrt1")  # type: ignore[attr-defined]
