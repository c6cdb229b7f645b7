"""VMware Server and ESXi, through a real sshd; the tools are stand-ins: see their docstring."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors.contract import HypervisorContract
from tests.runtime.hypervisors.site import HOSTS, MACHINES
from tests.runtime.hypervisors.standin_hosts import StandinHosts, standin_hosts
from threerc.runtime.errors import Refused

pytestmark = requires_real()


class VMwareHosts(StandinHosts):
    """Hosts on which all VMs are registered, under numbers that are other VMs' names."""

    def machine(self, host: str, vm: str) -> dict[str, Any]:
        machines: dict[str, dict[str, Any]] = self.state(host, "vim")["machines"]
        return next(each for each in machines.values() if each["name"] == vm)

    def update(self, host: str, vm: str, **changes: Any) -> None:
        machines = self.state(host, "vim")["machines"]
        for machine in machines.values():
            if machine["name"] == vm:
                machine.update(changes)
        self.change(host, "vim", machines=machines)

    def processes(self, host: str) -> dict[str, int]:
        """The processes of the host's VMs, seen from outside its own processes."""
        found = {}
        inside = os.readlink(f"/proc/{self._init(host)}/ns/pid")
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_text().split("\0")
                if words[2:3] == ["-x"] and os.readlink(folder / "ns/pid") == inside:
                    found[Path(words[3]).stem] = int(folder.name)
            except OSError:
                continue
        return found

    def _init(self, host: str) -> str:
        parent = self.sshds[host].pid
        return Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]

    def alive(self, host: str) -> set[str]:
        return set(self.processes(host))

    def pause(self, host: str, vm: str) -> None:
        os.kill(self.processes(host)[vm], signal.SIGSTOP)

    def snapshot(self, vm: str) -> None:
        for host in HOSTS:
            self.update(host, vm, snapshots=[9, 10])

    def is_as_in_snapshot(self, vm: str) -> bool:
        return any(self.machine(host, vm)["reverted"] == ["10"] for host in HOSTS)


def registered(work: Path) -> dict[str, Any]:
    names = ["Old Server (do not use)", *reversed(MACHINES), "vrt", "gridse"]
    return {
        str(number): {
            "name": name,
            "power": "Powered off",
            "process": 0,
            "lock": str(work / "images" / name / f"{name}.vmdk.lck"),
            "snapshots": [],
            "reverted": [],
        }
        for number, name in enumerate(names)
    }


def made(work: Path, tool: str) -> Iterator[VMwareHosts]:
    vim = {"machines": registered(work), "stuck": []}
    drbd: dict[str, Any] = {"roles": {}, "told": []}
    programs = {tool: ("vim", vim), "drbdadm": ("drbdadm", drbd)}
    with standin_hosts(work, "vmware", programs) as found:
        yield VMwareHosts(found.work, found.config, found.sshds)


def emptied(both: VMwareHosts) -> VMwareHosts:
    for host in HOSTS:
        for process in both.processes(host).values():
            os.kill(process, signal.SIGKILL)
        both.change(host, "vim", machines=registered(both.work), stuck=[])
    return both


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VMwareHosts]:
    yield from made(tmp_path_factory.mktemp("vmware"), "vmware-vim-cmd")


@pytest.fixture(scope="module")
def esxis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VMwareHosts]:
    yield from made(tmp_path_factory.mktemp("esxi"), "vim-cmd")


@pytest.fixture
def server(servers: VMwareHosts) -> VMwareHosts:
    return emptied(servers)


class TestVMware(HypervisorContract):
    """On ESXi; what VMware Server does otherwise is below."""

    @pytest.fixture
    def hosts(self, esxis: VMwareHosts) -> VMwareHosts:
        return emptied(esxis)

    def test_does_not_move_vms(self, hosts: VMwareHosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        with pytest.raises(Refused, match="vCenter only"):
            there.migrate("vrt1", "alfa02")

    def test_does_not_start_what_is_not_registered(self, hosts: VMwareHosts) -> None:
        hosts.change("alfa01", "vim", machines={})
        with pytest.raises(Refused, match="vrt1 is not registered there"):
            self.at(hosts, "alfa01").start("vrt1")


class TestVMwareServer(HypervisorContract):
    @pytest.fixture
    def hosts(self, server: VMwareHosts) -> VMwareHosts:
        return server

    def test_kills_the_process_that_its_power_left_behind(self, hosts: VMwareHosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        there.start("vrt10")
        hosts.change("alfa01", "vim", stuck=["vrt1"])
        there.kill("vrt1")
        assert hosts.alive("alfa01") == {"vrt10"}

    def test_takes_the_locks_of_a_dead_host_away(self, hosts: VMwareHosts) -> None:
        lock = Path(hosts.machine("alfa02", "vrt1")["lock"])
        lock.mkdir(parents=True)
        (lock / "M12345.lck").touch()
        self.at(hosts, "alfa02").start("vrt1")
        assert hosts.alive("alfa02") == {"vrt1"}

    def test_restores_the_last_snapshot(self, hosts: VMwareHosts) -> None:  # type: ignore[override]
        with pytest.raises(Refused, match="snapshots of VMware Server"):
            self.at(hosts, "alfa01").restore("vrt1")

    def test_does_not_restore_what_runs_or_has_no_snapshot(  # type: ignore[override]
        self, hosts: VMwareHosts
    ) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        with pytest.raises(Refused, match="vrt1 runs"):
            there.restore("vrt1")
