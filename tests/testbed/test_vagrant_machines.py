"""Two whole machines by Vagrant, emulated: see docs/testing.md. Needs `make packages-long`.

libvirtd, Vagrant's networks and the machines are in a capsule of the testbed, and end with it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.lab import requires_real
from tests.testbed import tiny, traces
from threerc.testbed.client import Answer, Testbed
from threerc.testbed.daemons.libvirtd import libvirtd
from threerc.testbed.daemons.virtlogd import virtlogd
from threerc.testbed.images import Images
from threerc.testbed.parts import Bind, CapsuleSpec, LabSpec, Lay
from threerc.testbed.process import FOLDERS
from threerc.testbed.vagrant.box import get_box

pytestmark = [
    requires_real(),
    pytest.mark.skipif(not os.environ.get("THREERC_LONG"), reason="takes minutes: THREERC_LONG=1"),
]

PROGRAMS: Final = {
    "vagrant": "vagrant",
    "dnsmasq": "dnsmasq-base",
    "sfdisk": "fdisk",
}
SITE: Final = """\
site: whole
domain: example.org
networks:
  lan: {prefix: 192.168.40.0/24, boot: true}
os_profiles:
  mini: {installer: image, kernel: vmlinuz, initrd: initrd.img, image: http://192.168.40.1/i.tar.gz}
service_hosts:
  one:
    address: 192.168.40.1
    mac: 02:00:c0:a8:28:01
    roles: [dhcp, dns, tftp, install, collector, gmetad]
physical_hosts:
  ph1: {address: 192.168.40.11, mac: 02:00:c0:a8:28:0b, cpus: 2, memory: 2GiB}
virtual_machines:
  vm1:
    address: 192.168.40.21
    mac: 02:00:c0:a8:28:15
    home: ph1
    os: mini
    memory: 256MiB
    disk: 1GiB
monitoring: {cluster: Whole}
"""
VM_MAC: Final = "02:00:c0:a8:28:15"
HOST: Final = "host"
UP_SECONDS: Final = 2400
SILENCE: Final = 80
"""Seconds after which gmetad takes a host for dead: four times its TMAX."""
# A card on the bridge of a physical host, as a virtual machine's would be.
ASK_DHCP: Final = f"""
ip link add asked type veth peer name plug
ip link set asked address {VM_MAC}
ip link set plug master br0
ip link set plug up
ip link set asked up
dhclient -1 -v -sf /bin/true -lf /tmp/leases -pf /tmp/pid asked
"""
READ_GMETAD: Final = "exec 3<>/dev/tcp/127.0.0.1/8651; cat <&3"


@dataclass(frozen=True)
class Site:
    """A site whose machines run in a capsule, and the commands that are given there."""

    testbed: Testbed
    environment: dict[str, str]

    def call(self, *words: str, seconds: float = 300) -> str:
        """What `3rc testbed --backend vagrant` answers."""
        answer = self.try_call(*words, seconds=seconds)
        assert answer.rc == 0, answer.out + answer.err
        return answer.out

    def try_call(self, *words: str, seconds: float = 300) -> Answer:
        program = "from threerc.compiler.cli import main; main()"
        command = (sys.executable, "-c", program, "testbed", "--backend", "vagrant", *words)
        return self.testbed.execute(HOST, *command, environment=self.environment, seconds=seconds)

    def states(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.call("status", "--json"))["machines"]
        return found

    def inside(self, host: str, script: str) -> Answer:
        return self.try_call("ssh", host, "bash", "-c", script)

    def virsh(self, *words: str) -> list[str]:
        return self.testbed.execute(HOST, "virsh", "-q", *words).out.split()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Site]:
    missing = [p for n, p in PROGRAMS.items() if shutil.which(n, path=FOLDERS) is None]
    assert not missing, f"missing: {', '.join(missing)} (make packages-long)"
    folder = tmp_path_factory.mktemp(f"whole-{secrets.token_hex(4)}-")
    images = Path(pytestconfig.cache.mkdir("threerc-images"))
    Images.of("mini", cache=images, say=print)
    get_box("libvirt", images, print)
    for name in ("pool", "state", "vagrant"):
        (folder / name).mkdir()
    (folder / "site.yaml").write_text(SITE)
    host = CapsuleSpec(
        HOST,
        "physical",
        (),
        files=(Lay("/mark", folder.name),),
        binds=(
            Bind(folder, str(folder)),
            Bind(folder / "pool", "/var/lib/libvirt/images"),
            Bind(images, str(folder / "cache/3rc/images")),
        ),
        daemons=(virtlogd(), libvirtd(HOST)),
    )
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "VAGRANT_HOME": str(folder / "vagrant"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "lab"))
        with tiny.running(LabSpec("vagrant", (), (host,))) as testbed:
            made = Site(testbed, environment)
            made.call("up", str(folder / "site.yaml"), "--emulate", seconds=UP_SECONDS)
            yield made
        assert traces.left(folder.name) == []


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain until {what}"
        time.sleep(2)


def heard(site: Site) -> dict[str, tuple[int, int]]:
    """When gmetad last heard of each host, by its clock, and how many seconds ago."""
    answer = site.inside("one", READ_GMETAD)
    assert answer.rc == 0, answer.err
    return {
        each.get("NAME", "").removesuffix(".example.org"): (
            int(each.get("REPORTED", "0")),
            int(each.get("TN", "0")),
        )
        for each in ET.fromstring(answer.out).iter("HOST")  # noqa: S314 - our own gmetad
    }


def goes_on(site: Site, host: str, seconds: float = 120) -> None:
    """Wait until a host is heard of, and heard of again."""
    until(lambda: host in heard(site), f"Ganglia knows {host}", seconds)
    first, _ = heard(site)[host]
    until(lambda: heard(site)[host][0] > first, f"Ganglia hears of {host} again", seconds)


def test_a_site_of_whole_machines(site: Site) -> None:
    """One test, since its parts are steps: the machines take minutes to come up."""
    assert site.states() == {"ph1": "running", "one": "running"}
    assert site.inside("ph1", "hostname").out == "ph1\n"
    assert site.inside("ph1", "virsh -c qemu:///system list").rc == 0

    asked = site.inside("ph1", ASK_DHCP)
    assert "DHCPACK of 192.168.40.21 from 192.168.40.1" in asked.err, asked

    goes_on(site, "ph1")
    goes_on(site, "one")

    def reached() -> bool:
        return site.inside("one", "ping -c 1 -W 2 192.168.40.11").rc == 0

    assert reached()
    site.call("crash", "ph1", "network")
    assert not reached()
    assert site.inside("ph1", "uptime").rc == 0
    site.call("heal", "ph1", "network")
    until(reached, "ph1 answers again", 30)

    site.call("crash", "ph1", "power")
    assert site.states() == {"ph1": "poweroff", "one": "running"}
    assert not reached()
    until(lambda: heard(site)["ph1"][1] > SILENCE, "Ganglia misses ph1", 3 * SILENCE)
    goes_on(site, "one")
    site.call("heal", "ph1", "power")
    until(reached, "ph1 answers again", 120)
    goes_on(site, "ph1")

    site.call("down")
    assert site.virsh("list", "--all", "--name") == []
    assert site.virsh("net-list", "--all", "--name") == []
    assert "no site is up" in site.try_call("status").err
