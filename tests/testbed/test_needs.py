"""What a testbed needs, and that all of it that is missing is named at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiler.support import ROOT, SNS_PISA, TODAY
from tests.lab import requires_real
from tests.testbed.supplied import supplied
from threerc.compiler.build import check
from threerc.compiler.lock import Lock
from threerc.compiler.starter import starter
from threerc.compiler.tree import Output, Tree
from threerc.testbed import needs
from threerc.testbed.errors import TestbedError
from threerc.testbed.layout import layout
from threerc.testbed.overlay import overlay
from threerc.testbed.prepare import Wanted
from threerc.testbed.process import PACKAGES
from threerc.testbed.supplies import Profile

ESSENTIAL = {"coreutils", "util-linux"}
"""Packages that every Debian has."""
SITES = (SNS_PISA, ROOT / "examples/ci/site.yaml")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all programs that there are, and the only one in which they are looked for."""
    for name in PACKAGES:
        (tmp_path / name).touch(0o755)
    monkeypatch.setattr(needs, "FOLDERS", str(tmp_path))
    return tmp_path


@requires_real()
def test_all_that_is_missing_is_named_at_once_with_its_package(programs: Path) -> None:
    missing = ("virsh", "qemu-img", "ipmitool", "useradd", "ssh-keygen", "nft", "mmdebstrap")
    for name in missing:
        (programs / name).unlink()
    with pytest.raises(TestbedError) as raised:
        needs.check_site(check(SITES[1]).site, Wanted(TODAY, image="debian"))
    assert str(raised.value).splitlines() == [
        "the testbed needs:",
        *(f"  the program {name} (Debian: {PACKAGES[name]})" for name in sorted(missing)),
    ]


@requires_real()
def test_a_site_does_not_need_what_it_does_not_use(programs: Path) -> None:
    for name in ("mmdebstrap", "cron", "kea-dhcp4"):
        (programs / name).unlink()
    needs.check_site(check(SITES[1]).site, Wanted(TODAY, profile="fast"))


@requires_real()
def test_a_missing_boot_loader_is_named_too(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path.name != "pxelinux.0" and is_file(path))
    with pytest.raises(TestbedError, match=r"pxelinux.0 not found \(Debian: pxelinux\)"):
        needs.check_site(check(SITES[1]).site, Wanted(TODAY))
    assert programs


@requires_real()
def test_devices_of_virtual_machines_are_named_too(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/dev/net/tun" and exists(path))
    with pytest.raises(TestbedError, match="a kernel with TAP devices"):
        needs.check_site(check(SITES[1]).site, Wanted(TODAY))
    assert programs


@requires_real()
def test_root_that_may_make_no_namespaces_is_told_so() -> None:
    code = "from threerc.testbed import needs; needs.check_machine()"
    weak = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    said = subprocess.run(
        [*weak, sys.executable, "-c", code], capture_output=True, text=True, check=False
    ).stderr
    assert "namespaces and mounts, as a privileged container has them" in said


@requires_real()
def test_scripts_that_nobody_serves_are_named_before_machines_wait_for_them(tmp_path: Path) -> None:
    """As those of `3rc init`, of the machines that are wanted and of what these require."""
    (tmp_path / "site.yaml").write_text(starter())
    site = check(tmp_path / "site.yaml").site
    with pytest.raises(TestbedError, match="the testbed needs") as raised:
        needs.check_site(site, Wanted(TODAY, vms=("batch",)))
    told = [line.strip().partition(" as ")[0] for line in str(raised.value).splitlines()[1:]]
    assert told == [
        "http://service1.example.org/local/batch-server.sh (middleware batch-server)",
        "http://service1.example.org/local/base.sh (middleware base)",
    ]


def test_a_site_that_is_too_large_is_refused_with_figures(tmp_path: Path) -> None:
    site = check(SITES[1]).site
    wanted = Wanted(TODAY, vms=())
    needs.check_size(site, wanted, tmp_path / "not there yet")
    (host, *_) = site.physical_hosts.values()
    many = {f"ph{number}": host for number in range(10**6)}
    with pytest.raises(TestbedError, match="the testbed needs") as raised:
        needs.check_size(site.model_copy(update={"physical_hosts": many}), wanted, tmp_path)
    first = str(raised.value).splitlines()[1]
    assert re.fullmatch(
        r"  \d{8} MiB of memory for 1,000,00\d hosts and 0 machines \(fewer: --vms\); here are \d+",
        first,
    )


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("profile", ["thesis", "fast"])
def test_every_daemon_of_a_lab_is_looked_for_before(path: Path, profile: Profile) -> None:
    site = check(path).site
    supplies = supplied(site, profile=profile)
    built, _ = overlay(site, supplies)
    lab = layout(built, Output("test", Tree(), Lock(TODAY)), supplies)
    run = {daemon.command[0] for capsule in lab.capsules for daemon in capsule.daemons}
    by_name = {name for name in run if "/" not in name}
    assert by_name <= needs.programs_of(site, Wanted(TODAY, profile=profile))


def test_make_packages_installs_all_of_them() -> None:
    lines = (ROOT / "dev/packages.debian").read_text(encoding="utf-8").splitlines()
    listed = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert set(PACKAGES.values()) - ESSENTIAL <= listed


def test_the_how_to_names_all_of_them() -> None:
    told = (ROOT / "docs/how-to/crash-test-your-merge-request.md").read_text(encoding="utf-8")
    listed = told.partition("apt-get install --no-install-recommends ")[2].partition("\n\n")[0]
    assert set(PACKAGES.values()) - ESSENTIAL <= set(listed.split())


def test_packages_are_told_for_every_program_that_is_run_by_name() -> None:
    """A name that `_missing_programs` could not give a package for helps nobody."""
    site = check(SNS_PISA).site
    assert needs.programs_of(site, Wanted(TODAY, nodes=("wn01",), image="debian")) <= set(PACKAGES)
