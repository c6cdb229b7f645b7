"""The controller for real: gmonds tell it who is silent, ssh and libvirt bring machines back.

Two physical hosts with libvirtd, QEMU and sshd each; a gmond stands for each host, and one for the
guest, whose machine has no system. `3rc controller --once` is run as cron would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compiler.support import ROOT
from tests.lab import LabError, requires_real
from tests.lab.process import running
from tests.real.test_hypervisors import LibvirtHosts, both, hosts
from tests.real.test_monitors import GMOND, RECEIVE, installed
from threerc.runtime.config import dump
from threerc.runtime.hypervisors import open_hypervisor

pytestmark = requires_real()
__all__ = ["both", "hosts"]  # fixtures

PORT: Final = 8649
WAIT_SECONDS: Final = 60
COLLECTOR: Final = "bibe"


class Site:
    """A site that a controller looks after, with its state in a folder of its own."""

    def __init__(self, hosts: LibvirtHosts, work: Path, **settings: Any) -> None:
        self.hosts = hosts
        self.work = work
        self.state = work / "state"
        config = hosts.config.model_dump(mode="json")
        config["recovery"] |= {
            "steps": {"reboot": 0, "restart": 3, "snapshot": 0, "reinstall": 0},
            "waits": {"reboot": 0, "restart": 0, "reinstall": 0},
        }
        config["monitors"] |= {
            "collectors": [{"host": COLLECTOR, "address": "127.0.0.1", "port": PORT}]
        }
        config |= {"state_directory": str(self.state), "brake": {"share": 1.0, "within": 60}}
        self.config = type(hosts.config).model_validate(config | settings)
        self.file = work / "controller.yaml"
        self.file.write_text(dump(self.config))
        self.gmonds = {name: ExitStack() for name in (COLLECTOR, "alfa01", "alfa02", "vrt1")}

    def appear(self, name: str) -> None:
        """Start a host's gmond."""
        config = self.work / f"{name}.conf"
        config.write_text(
            GMOND.format(
                name=name,
                address=f"192.168.1.{100 + list(self.gmonds).index(name)}",
                tmax=2,
                deaf="no" if name == COLLECTOR else "yes",
                channels=f"udp_send_channel {{ host = 127.0.0.1 port = {PORT} }}\n"
                + (RECEIVE.format(port=PORT) if name == COLLECTOR else ""),
                modules=next(Path("/usr/lib").glob("*/ganglia/modload.so")).parent,
            )
        )
        command = [installed("gmond"), "-f", "-c", str(config)]
        self.gmonds[name].enter_context(running(command, self.work / f"{name}.log"))

    def vanish(self, *names: str) -> None:
        """End the gmond of hosts."""
        for name in names:
            self.gmonds[name].close()

    def threerc(self, *arguments: str) -> str:
        """Run `3rc`; its output."""
        code = "from threerc.compiler.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--config", str(self.file)],
            env={**os.environ, "PYTHONPATH": str(ROOT / ".src")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"3rc {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def tick(self) -> list[dict[str, Any]]:
        """One tick, as cron starts it; its events of the one VM that was ever up."""
        told = self.threerc("controller", "--once", "--as", COLLECTOR, "--json")
        return [event for event in json.loads(told) if event.get("vm") == "vrt1"]

    def wait_until(self, name: str, *, up: bool) -> None:
        """Wait until the monitor says that a host is up, or down."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                status = json.loads(self.threerc("status", "--json"))
            except LabError:
                continue  # the collector has only just started
            if (status["physical_hosts"] | status["virtual_machines"])[name]["up"] is up:
                return
        raise LabError(f"waited {WAIT_SECONDS} s in vain for {name} to be {'up' if up else 'down'}")


@pytest.fixture
def site(hosts: LibvirtHosts, tmp_path: Path) -> Iterator[Site]:
    found = Site(hosts, tmp_path)
    try:
        found.threerc("controller", "--create-state")
        for name in found.gmonds:
            found.appear(name)
        open_hypervisor(found.config, "alfa01").start("vrt1")
        for name in ("alfa01", "alfa02", "vrt1"):
            found.wait_until(name, up=True)
        yield found
    finally:
        found.vanish(*found.gmonds)


def power_off(site: Site, host: str, vm: str) -> None:
    """What the thesis calls a non-destructive crash: the machine is gone at once."""
    for pid, words in site.hosts.capsules[host].processes():
        if "qemu-system" in words[0] and f"guest={vm}," in " ".join(words):
            os.kill(pid, signal.SIGKILL)
    site.vanish(vm)


def test_a_crashed_machine_is_brought_back(site: Site) -> None:
    assert site.tick() == []
    power_off(site, "alfa01", "vrt1")
    site.wait_until("vrt1", up=False)
    assert site.hosts.alive("alfa01") == set()
    (event,) = site.tick()
    assert (event["kind"], event["step"], event["to"]) == ("action", "RESTART", "alfa01")
    assert site.hosts.alive("alfa01") == {"vrt1"}
    site.appear("vrt1")
    site.wait_until("vrt1", up=True)
    assert [event["kind"] for event in site.tick()] == ["recovered"]
    log = (site.state / "log").read_text().splitlines()
    assert log[:2] == [">> Clear history", ">> RESTART VM vrt1 on PH alfa01 [from OLD PH alfa01]"]
    assert log[2].endswith("[2] RESTART")
    assert len(log) == 3
    assert (site.state / "vm/vrt1").read_text().split()[::2] == ["alfa01", "2"]
    assert "RESTART on alfa01: down" in site.threerc("explain", "vrt1")
    assert "alfa01.example.org;" in site.threerc("status", "--text")


def test_a_host_that_hangs_may_still_run_its_machine(site: Site) -> None:
    """It is silent and does not answer, but the old copy is alive, and so nothing is started."""
    site.tick()
    listener = site.hosts.stop("alfa01")
    try:
        site.vanish("alfa01", "vrt1")
        site.wait_until("alfa01", up=False)
        site.wait_until("vrt1", up=False)
        (event,) = site.tick()
        assert event["kind"] == "wait"
        assert "alfa01 does not answer and nothing can cut its power" in event["reason"]
        assert site.hosts.alive("alfa01") == {"vrt1"}
        assert site.hosts.alive("alfa02") == set()
    finally:
        os.kill(listener, signal.SIGCONT)
    # It answers again: the old copy is killed there, and the machine moves to the host that is up.
    (event,) = site.tick()
    assert (event["step"], event["to"]) == ("RESTART", "alfa02")
    assert site.hosts.alive("alfa01") == set()
    assert site.hosts.alive("alfa02") == {"vrt1"}
    assert "alfa01 was not taken: down" in site.threerc("explain", "vrt1")


def test_a_dry_run_does_nothing(site: Site) -> None:
    power_off(site, "alfa01", "vrt1")
    site.wait_until("vrt1", up=False)
    site.threerc("controller", "--dry-run", "--as", COLLECTOR)
    assert site.hosts.alive("alfa01") == set()
    assert not (site.state / "log").exists()
    assert list((site.state / "vm").iterdir()) == []
