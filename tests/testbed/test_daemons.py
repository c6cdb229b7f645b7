"""What the daemons of a host are started with, and what they find."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.testbed.supplied import pair, supplied
from threerc.compiler.model import Site
from threerc.testbed.daemons import daemons_of, drbd, files_of
from threerc.testbed.overlay import overlay
from threerc.testbed.parts import Daemon, Lay


def of(site: Site, name: str, profile: str = "thesis") -> dict[str, Daemon]:
    supplies = supplied(site, profile="fast" if profile == "fast" else "thesis")
    built, _ = overlay(site, supplies)
    return {each.name: each for each in daemons_of(built, built.hosts[name], supplies)}


def laid(site: Site, name: str) -> dict[str, Lay]:
    supplies = supplied(site)
    built, _ = overlay(site, supplies)
    return {each.path: each for each in files_of(built, built.hosts[name], supplies)}


def test_controllers_are_started_by_cron_or_are_daemons(sns_pisa: Site) -> None:
    assert "controller" not in of(sns_pisa, "bussolo")
    assert "ha 3rc-updates" in str(of(sns_pisa, "bussolo")["cron"].start)
    fast = of(sns_pisa, "bussolo", "fast")
    assert fast["controller"].command[:4] == ("runuser", "-u", "ha", "--")
    assert fast["controller"].command[-2:] == ("--every", "5")
    assert " ha " not in str(fast["cron"].start)


def test_no_host_has_another_s_private_key(sns_pisa: Site) -> None:
    for name in ("alfa01", "bussolo"):
        texts = "".join(each.text or "" for each in laid(sns_pisa, name).values())
        assert pair(name).private in texts
        assert pair("alfa02").private not in texts


def test_secrets_are_for_their_owners_alone(sns_pisa: Site) -> None:
    files = laid(sns_pisa, "bussolo")
    for path in ("/etc/3rc/id_ed25519", "/etc/3rc/ipmi", "/etc/ssh/ssh_host_ed25519_key"):
        assert files[path].mode == 0o600, path


def test_the_install_server_has_the_machines_keys_and_the_installer(sns_pisa: Site) -> None:
    files = laid(sns_pisa, "bibe")
    assert files["/srv/install/testbed/host-keys/192.168.1.31"].text == pair("gridce").private
    assert "http://192.168.1.10/testbed/host-keys" in str(
        files["/srv/install/testbed/host-key.sh"].text
    )
    kernels = [path for path in files if path.startswith("/srv/tftp/kernel/")]
    assert len(kernels) == 6


# -- the tables that cron keeps


def test_cron_gets_no_table_of_the_machine_s_own(sns_pisa: Site, tmp_path: Path) -> None:
    _, _, script, keep, log = of(sns_pisa, "bussolo")["cron"].start[-1]
    table = tmp_path / "etc/cron.d"
    table.mkdir(parents=True)
    for name in ("ha", "3rc-updates", "e2scrub_all", "a"):
        (table / name).touch()
    local = script.replace("/etc/cron.d", str(table)).replace("/var/spool", str(tmp_path))
    subprocess.run(["sh", "-e", "-c", local, keep, str(tmp_path / Path(log).name)], check=True)
    assert sorted(path.name for path in table.iterdir()) == ["3rc-updates", "ha"]
    assert stat.S_IMODE((tmp_path / Path(log).name).stat().st_mode) == 0o666


# -- what stands in for DRBD


class Peer:
    """`drbdadm` of one of two peers; who is reachable is a file's content."""

    def __init__(self, folder: Path, name: str, site: Site) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        files = {each.path: each for each in drbd.files(site, site.physical_hosts[name])}
        script = str(files["/usr/local/sbin/drbdadm"].text)
        for path, there in (
            (drbd.ROLES, folder),
            ("/usr/local/share/3rc/drbd.peers", self.folder / "peers"),
        ):
            script = script.replace(path, str(there))
        (self.folder / "peers").write_text(
            str(files["/usr/local/share/3rc/drbd.peers"].text), encoding="ascii"
        )
        self._program("drbdadm", script)
        self._program("uname", f"#!/bin/sh\necho {name}\n")
        self.sees(True)

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="ascii")
        (self.folder / name).chmod(0o755)

    def sees(self, peer: bool) -> None:
        self._program("ping", f"#!/bin/sh\nexit {0 if peer else 1}\n")

    def drbdadm(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(self.folder / "drbdadm"), *words],
            env={"PATH": f"{self.folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()


@pytest.fixture
def peers(tmp_path: Path, sns_pisa: Site) -> tuple[Peer, Peer]:
    return Peer(tmp_path, "alfa01", sns_pisa), Peer(tmp_path, "alfa02", sns_pisa)


def test_of_two_peers_that_see_each_other_one_is_primary(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    assert one.drbdadm("role", "gridse") == (0, "Secondary/Secondary")
    assert one.drbdadm("primary", "gridse")[0] == 0
    assert one.drbdadm("role", "gridse") == (0, "Primary/Secondary")
    assert two.drbdadm("role", "gridse") == (0, "Secondary/Primary")
    assert two.drbdadm("primary", "gridse")[0] == 11
    assert one.drbdadm("secondary", "gridse")[0] == 0
    assert two.drbdadm("primary", "gridse")[0] == 0


def test_a_peer_that_is_gone_does_not_matter(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.drbdadm("primary", "gridse")
    two.sees(False)
    assert two.drbdadm("primary", "gridse")[0] == 0
    assert two.drbdadm("role", "gridse") == (0, "Primary/Unknown")


def test_there_are_no_volumes_but_the_site_s(peers: tuple[Peer, Peer]) -> None:
    assert peers[0].drbdadm("role", "lcg")[0] == 10
