"""Two physical hosts with a real libvirtd, QEMU and sshd each, and a controller beside them.

Each is a set of namespaces. Their VMs have no system: they sit in their firmware.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.lab import Namespace, namespace, requires_real
from tests.lab.namespace import BRIDGE
from tests.lab.process import LabError
from tests.runtime.hypervisors import disks
from tests.runtime.hypervisors.capsule import Capsule, capsule, inside
from tests.runtime.hypervisors.contract import HypervisorContract, left_over
from tests.runtime.hypervisors.domains import with_domains
from tests.runtime.hypervisors.site import HOSTS, MACHINES, site
from tests.runtime.hypervisors.sshd import Keys, settings
from threerc.runtime.config import ControllerConfig, VirtualMachine
from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.hypervisors import open_hypervisor

pytestmark = requires_real()

ADDRESSES: Final = {"alfa01": "192.168.1.11", "alfa02": "192.168.1.12"}
CONTROLLER: Final = "192.168.1.9"
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
SSH: Final = 22
LIBVIRT_KEY: Final = 'command="virt-ssh-helper qemu:///system",restrict '
"""What a physical host lets another one do, so that VMs move between them."""


@dataclass
class LibvirtHosts:
    work: Path
    config: ControllerConfig
    capsules: dict[str, Capsule]

    def alive(self, host: str) -> set[str]:
        return self.capsules[host].guests()

    def virsh(self, host: str, *arguments: str) -> str:
        return self.capsules[host].run("virsh", "-q", "-c", "qemu:///system", *arguments)

    def pause(self, host: str, vm: str) -> None:
        self.virsh(host, "suspend", vm)

    def disk(self, vm: str) -> Path:
        return Path(self.config.images) / f"{vm}.qcow2"

    def snapshot(self, vm: str) -> None:
        disks.snapshot(self.disk(vm))

    def is_as_in_snapshot(self, vm: str) -> bool:
        return disks.is_as_in_snapshot(self.disk(vm))

    def home(self, host: str) -> Path:
        return self.work / host

    def stop(self, host: str) -> int:
        pid = self.capsules[host].daemon("[listener]")
        os.kill(pid, signal.SIGSTOP)
        return pid

    def with_image(self, vm: str, image: str) -> ControllerConfig:
        """The site with another disk for a VM, compiled anew."""
        machine = self.config.virtual_machines[vm].model_copy(update={"image": image})
        machines: dict[str, VirtualMachine] = {**self.config.virtual_machines, vm: machine}
        config = self.config.model_copy(update={"virtual_machines": machines})
        return with_domains(config, self.work / "others")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibvirtHosts]:
    work = tmp_path_factory.mktemp("libvirt")
    keys = Keys.make(work / "keys", HOSTS)
    peers = Keys.make(work / "peers", tuple(ADDRESSES.values()))
    (work / "images").mkdir()
    config = site(keys, ADDRESSES, SSH, "libvirt", work / "images")
    config = with_domains(config, work / "domains")
    with ExitStack() as stack:
        controller = stack.enter_context(namespace(work / "net", f"{CONTROLLER}/24"))
        capsules = {}
        for number, (name, address) in enumerate(ADDRESSES.items(), 1):
            net = stack.enter_context(namespace(work / name / "net", f"{address}/24"))
            plug(controller, net, number)
            more = LIBVIRT_KEY + peers.user.with_suffix(".pub").read_text()
            conf = settings(work / name, keys, address, SSH, PATH, more)
            let_in(work / name / "tree/root/.ssh", peers, keys)
            capsules[name] = stack.enter_context(capsule(net, name, conf, number))
        stack.enter_context(inside(controller))
        yield LibvirtHosts(work, config, capsules)


def plug(controller: Namespace, host: Namespace, number: int) -> None:
    """A wire between the bridges of the controller and of a host."""
    wire = f"wire{number}"
    controller.ip("link", "add", wire, "type", "veth", "peer", "name", wire, "netns", host.name)
    host.ip("link", "set", BRIDGE, "address", f"02:00:00:00:01:{number:02x}")
    for end in (controller, host):
        end.ip("link", "set", wire, "master", BRIDGE, "up")


def let_in(folder: Path, peers: Keys, keys: Keys) -> None:
    """root's own files on a physical host, for its way to the other one."""
    folder.mkdir(parents=True)
    key = folder / "id_ed25519"
    key.write_text(peers.user.read_text())
    key.chmod(0o600)
    public = keys.host.with_suffix(".pub").read_text()
    lines = [f"{address} {public}" for address in ADDRESSES.values()]
    (folder / "known_hosts").write_text("".join(lines))


@pytest.fixture
def hosts(both: LibvirtHosts) -> LibvirtHosts:
    for host in HOSTS:
        for vm in both.virsh(host, "list", "--uuid").split():
            both.virsh(host, "destroy", vm)
        for vm in both.virsh(host, "list", "--all", "--uuid").split():
            both.virsh(host, "undefine", vm)
    for vm in MACHINES:
        disks.create(both.disk(vm))
    return both


@contextmanager
def shared_device(file: Path) -> Iterator[str]:
    """A block device that all hosts see."""
    file.write_bytes(bytes(8 << 20))
    command = ["losetup", "--show", "-f", str(file)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise LabError(f"losetup: {made.stderr}")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


class TestLibvirt(HypervisorContract):
    def test_gives_a_vm_the_same_number_everywhere(self, hosts: LibvirtHosts) -> None:
        for host in HOSTS:
            self.at(hosts, host).start("vrt1")
            self.at(hosts, host).kill("vrt1")
        numbers = {hosts.virsh(host, "domuuid", "vrt1") for host in HOSTS}
        assert len(numbers) == 1

    def test_the_definition_follows_the_site(self, hosts: LibvirtHosts, tmp_path: Path) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        there.kill("vrt1")
        image = tmp_path / "other.qcow2"
        disks.create(image)
        open_hypervisor(hosts.with_image("vrt1", str(image)), "alfa01").start("vrt1")
        assert str(image) in hosts.virsh("alfa01", "domblklist", "vrt1")

    def test_a_definition_that_people_made_is_left_alone(
        self, hosts: LibvirtHosts, tmp_path: Path
    ) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        there.kill("vrt1")
        theirs = hosts.virsh("alfa01", "dumpxml", "--inactive", "vrt1")
        changed = re.sub("<metadata.*</metadata>", "<title>mine</title>", theirs, flags=re.DOTALL)
        (tmp_path / "theirs.xml").write_text(changed)
        hosts.virsh("alfa01", "define", str(tmp_path / "theirs.xml"))
        there.start("vrt1")
        assert "<title>mine</title>" in hosts.virsh("alfa01", "dumpxml", "vrt1")

    def test_defines_it_by_its_compiled_file(self, hosts: LibvirtHosts, tmp_path: Path) -> None:
        config = with_domains(hosts.config, tmp_path / "domains")
        file = tmp_path / "domains/vrt1.xml"
        file.write_text(file.read_text().replace("<vcpu>1<", "<vcpu>2<"))
        open_hypervisor(config, "alfa01").start("vrt1")
        assert hosts.virsh("alfa01", "vcpucount", "vrt1", "--live").strip() == "2"

    def test_without_its_file_a_vm_is_not_defined(
        self, hosts: LibvirtHosts, tmp_path: Path
    ) -> None:
        config = with_domains(hosts.config, tmp_path / "domains")
        file = tmp_path / "domains/vrt1.xml"
        file.unlink()
        with pytest.raises(Refused, match=rf"{re.escape(str(file))}.*build the site"):
            open_hypervisor(config, "alfa01").start("vrt1")
        assert hosts.virsh("alfa01", "list", "--all", "--name").split() == []

    def test_no_saved_memory_comes_back(self, hosts: LibvirtHosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        hosts.virsh("alfa01", "managedsave", "vrt1")
        assert there.running() == frozenset()
        there.start("vrt1")
        assert "no" in hosts.virsh("alfa01", "dominfo", "vrt1").partition("Managed save:")[2]
        assert hosts.alive("alfa01") == {"vrt1"}

    def test_does_not_start_on_a_disk_that_is_not_there(self, hosts: LibvirtHosts) -> None:
        hosts.disk("vrt1").unlink()
        with pytest.raises(Refused, match="No such file"):
            self.at(hosts, "alfa01").start("vrt1")
        assert not hosts.disk("vrt1").exists()
        assert hosts.alive("alfa01") == set()

    def test_qemu_itself_lets_no_second_copy_write(self, hosts: LibvirtHosts) -> None:
        self.at(hosts, "alfa01").start("vrt1")
        with pytest.raises(Refused, match="lock"):
            self.at(hosts, "alfa02").start("vrt1")
        assert hosts.alive("alfa02") == set()

    def test_moves_a_running_vm(self, hosts: LibvirtHosts, tmp_path: Path) -> None:
        with shared_device(tmp_path / "shared") as device:
            config = hosts.with_image("vrt10", device)
            open_hypervisor(config, "alfa01").start("vrt10")
            open_hypervisor(config, "alfa01").migrate("vrt10", "alfa02")
            assert hosts.alive("alfa01") == set()
            assert hosts.alive("alfa02") == {"vrt10"}
            assert hosts.virsh("alfa02", "domstate", "vrt10").strip() == "running"
            assert hosts.virsh("alfa01", "list", "--all", "--name").split() == []
            open_hypervisor(config, "alfa02").kill("vrt10")

    def test_a_libvirtd_that_hangs_is_unreachable(self, hosts: LibvirtHosts) -> None:
        config = hosts.config.model_copy(update={"deadline": 2})
        libvirtd = hosts.capsules["alfa02"].daemon("libvirtd")
        os.kill(libvirtd, signal.SIGSTOP)
        try:
            with pytest.raises(Unreachable, match="alfa02: no answer from ssh within 2 s: virsh"):
                open_hypervisor(config, "alfa02").running()
        finally:
            os.kill(libvirtd, signal.SIGCONT)
        assert left_over() == []
