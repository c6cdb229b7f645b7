"""A machine with an empty disk installs itself from the network, boots from it and is seen."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import Machine, requires_real
from tests.lab.process import wait_until
from tests.testbed.installing import NAME, Lab, lab, phases
from threerc.compiler.build import check
from threerc.testbed import events
from threerc.testbed.events import Kind
from threerc.testbed.machines import Machines
from threerc.testbed.prepare import wanted
from threerc.testbed.progress import Reporter
from threerc.testbed.up import bring_up

pytestmark = requires_real()

LONG = pytest.mark.skipif(
    not os.environ.get("THREERC_LONG"), reason="takes minutes: THREERC_LONG=1"
)
PHASES = [
    *("start", "network", "begin", "partition", "format", "unpack", "boot-loader", "post", "sync"),
    *("report", "installed"),
]


@pytest.fixture
def cache(pytestconfig: pytest.Config) -> Path:
    """Where images are kept from one run of the tests to the next."""
    return Path(pytestconfig.cache.mkdir("threerc-images"))


def installs_itself(site: Lab, host: Machine) -> None:
    """Wait until a machine has installed itself, is up and seen, and look at what it has become."""
    said = [line.split()[0] for line in site.installed(host)]
    assert said == PHASES
    assert site.boots == "local"
    site.up(host)
    assert site.told("cat /root/middleware") == f"base on {NAME}"
    assert site.told("uname -n") == NAME
    assert site.told("cat /root/.ssh/authorized_keys").split()[1] in site.public
    # Its clock is that of the board, in UTC.
    assert abs(int(site.told("date +%s")) - time.time()) < 60
    site.seen(host)


def is_dead(site: Lab, host: Machine, word: str) -> None:
    """Wait until a machine has said a word, and see that it stays as it is from then on."""
    host.wait_for(word, 120)
    before = host.console.stat().st_size
    time.sleep(15)
    assert "iPXE" not in host.console.read_text(errors="replace")[before:]
    assert site.ssh("true").returncode != 0


@pytest.mark.parametrize("disk", ["vda", "hda"])
def test_mini_on_any_disk(disk: str, tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "mini", disk=disk) as site:
        site.install()
        with site.switched_on("machine") as host:
            installs_itself(site, host)


def test_the_life_of_a_mini(tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "mini") as site:
        site.install()
        power = tmp_path / "power"
        button = ("-qmp", f"unix:{power},server=on,wait=off")
        # A card that no network is behind, and that the machine has not booted from.
        second = ("-device", "e1000,mac=52:54:00:00:99:99")
        with site.switched_on("first", *button, *second) as host:
            installs_itself(site, host)
            first = site.told("cat /proc/sys/kernel/random/boot_id")
            assert site.told("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")

            # As the controllers tell it to.
            site.ssh("reboot")
            site.wait(
                host,
                lambda: (
                    site.ssh("cat /proc/sys/kernel/random/boot_id").stdout.strip()
                    not in ("", first)
                ),
                120,
            )

            press(power)
            wait_until(lambda: host.process.poll() == 0, "it switched itself off", host.process, 60)

        # Cut off, it comes back; then the file system of an old system is there to install over.
        with site.switched_on("second") as host:
            site.up(host)
            site.told("echo old >/root/old; sync")
            site.told("(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
            is_dead(site, host, "Kernel panic")
        site.install()
        with site.switched_on("third") as host:
            installs_itself(site, host)
            assert site.ssh("cat /root/old").returncode != 0
            # The boot loader's own file is immutable.
            site.told("rm -rf /boot/* 2>/dev/null; ls -R /boot; sync")
        with site.switched_on("fourth") as host:
            is_dead(site, host, "Failed to load ldlinux.c32")


def press(power: Path) -> None:
    """Press a machine's power button."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(power))
        lines = link.makefile("rw")
        lines.readline()
        for command in ("qmp_capabilities", "system_powerdown"):
            lines.write(f'{{"execute": "{command}"}}\n')
            lines.flush()
            lines.readline()


def test_what_does_not_come_is_asked_for_a_few_times(tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "mini") as site:
        hook = site.server / "srv/install/post/install.sh"
        away = hook.with_name("away")
        shutil.move(hook, away)
        site.install()
        with site.switched_on("comes") as host:
            host.wait_for("3RC-INSTALL again hook: wget: server returned error: HTTP/1.0 404", 120)
            shutil.move(away, hook)
            site.installed(host)
        (site.server / "srv/install/images/image.tar.gz").unlink()
        site.install()
        with site.switched_on("does-not") as host:
            host.wait_for("3RC-INSTALL failed http://server.example.org/images/", 180)
            assert [line.split()[0] for line in phases(host)][-5:] == [*["again"] * 4, "failed"]
            assert site.boots == "tiny"


def test_an_image_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "mini") as site:
        image = site.server / "srv/install/images/image.tar.gz"
        whole = image.read_bytes()
        image.unlink()
        image.write_bytes(whole[: len(whole) // 2])
        site.install()
        with site.switched_on("machine") as host:
            host.wait_for("3RC-INSTALL again", 120)
            image.write_bytes(whole)
            installs_itself_again = [line.split()[0] for line in site.installed(host)]
            assert installs_itself_again[-1] == "installed"


def test_a_hook_that_fails_leaves_the_machine_to_people(tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "mini") as site:
        script = site.server / "srv/install/scripts/base.sh"
        script.write_text("#!/bin/sh\nexit 3\n")
        site.install()
        with site.switched_on("machine") as host:
            host.wait_for("3RC-INSTALL failed the post-install hook:", 120)
            assert "base.sh ended with status 3" in phases(host)[-1]
            assert site.boots == "tiny"


@LONG
def test_debian(tmp_path: Path, cache: Path) -> None:
    with lab(tmp_path, cache, "debian") as site:
        site.install()
        with site.switched_on("machine", memory=512) as host:
            installs_itself(site, host)


@LONG
def test_a_testbed_s_machine_of_debian_says_that_it_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The testbed waits for that; it is said once after each boot, whatever is started anew."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    site = check(ROOT / "examples/ci/site.yaml")
    debian = wanted("vm1", image="debian", profile="fast")
    with bring_up(site, debian, Reporter()) as held:
        grip = Machines.of(held.testbed).grip
        assert grip.guest("vm1", "cat /etc/debian_version").out[0].isdigit()
        shown = "systemctl show -P ExecMainStartTimestampMonotonic ganglia-monitor"
        gmond_began = int(grip.guest("vm1", shown).out) / 1e6
        heard = events.read(grip.events_file)
        (told,) = [each.detail["text"] for each in heard if each.detail.get("phase") == "gmond"]
        # It is not told of one that found no network, and was started anew later.
        assert gmond_began < float(told)
        again = "systemctl restart ssh ganglia-monitor && systemctl is-active ssh ganglia-monitor"
        assert grip.guest("vm1", again).rc == 0
        ups = [each for each in events.read(grip.events_file) if each.kind is Kind.BOOTED]
        assert [each.of for each in ups] == ["vm1"]
