"""Profiles, parts of hosts, the post-install hook: what they say, and that their readers agree."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, SNS_PISA, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.installer import compile_installer
from threerc.compiler.generation import manifest
from threerc.compiler.model import Site
from threerc.compiler.secrets import SecretMissing
from threerc.compiler.tree import Tree
from threerc.compiler.verify.base import Failure
from threerc.compiler.verify.installer import CHECKERS

ROOT = "bibe/srv/install"
SERVED = "a/srv/install"
HASH = "$6$rounds=5000$saltsalt$" + "x" * 86
SITE = (
    HEAD
    + """
service_hosts:
  a: {address: 192.168.1.2, roles: [install]}
os_profiles:
  el: {installer: kickstart, release: %s, kernel: k, initrd: i, repository: %s}
  deb: {installer: preseed, release: bookworm, kernel: k, initrd: i, repository: %s}
  img: {installer: image, kernel: k, initrd: i}
  own: {installer: manual, kernel: k, initrd: i}
worker_nodes:
  first: {address: 192.168.1.11, mac: "02:00:00:00:00:11", os: el, dual_boot: {}}
  second: {address: 192.168.1.12, mac: "02:00:00:00:00:12", os: el, dual_boot: {}, boot: disk2}
  third: {address: 192.168.1.13, mac: "02:00:00:00:00:13", os: deb, dual_boot: {}, boot: disk2}
  fourth: {address: 192.168.1.14, mac: "02:00:00:00:00:14", os: el, dual_boot: {}, boot: disk2}
"""
)
PHYSICAL_HOSTS = """
physical_hosts:
  ph1:
    address: 192.168.1.21
    os: %(os)s
    raid: {level: 6, disks: [sda, sdb, sdc, nvme0n1]}
    interfaces:
      eth1: {address: 192.168.1.31}
      eth2: {address: 192.168.1.32, mac: "02:00:00:00:00:32"}
  ph2:
    address: 192.168.1.22
    os: %(os)s
    raid: {level: 50, disks: [sda, sdb, sdc, sdd, sde, sdf]}
"""
ARRAY = "raid6-sda-sdb-sdc-nvme0n1.host-ph1.cfg"
HARDWARE = "raid50-sda-sdb-sdc-sdd-sde-sdf.cfg"
REPOSITORY = "http://mirror.example.org/%C3%A8'l;(x)/"


def site_text(release: str = "RHEL9") -> str:
    return SITE % (release, REPOSITORY, REPOSITORY)


def tree_of(folder: Path, text: str) -> Tree:
    return compiled(compile_installer, good_site(folder, text), folder=folder)


def failures(folder: Path, tree: Tree) -> list[Failure]:
    return [
        each
        for number, checker in enumerate(CHECKERS)
        for each in staged(folder / str(number), tree, checker)
    ]


def test_every_unattended_profile_is_served(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text())
    profiles = {p.removeprefix(f"{SERVED}/profiles/") for p in tree.entries if "/profiles/" in p}
    assert {"el.cfg", "deb.cfg"} == {each for each in profiles if "/" not in each}


@pytest.mark.parametrize("release", ["RHEL4", "RHEL6", "RHEL7", "RHEL9"])
def test_the_checker_takes_kickstarts_of_all_ages(release: str, tmp_path: Path) -> None:
    text = site_text(release).replace("deb: {", "unused: {").replace("os: deb", "os: el")
    tree = tree_of(tmp_path, text + PHYSICAL_HOSTS % {"os": "el"})
    names = {path.rpartition("/")[2] for path in tree.entries if "/el.d/" in path}
    assert names == {"hosts", "default.cfg", "disk-sdb.cfg", ARRAY, HARDWARE}
    assert list(staged(tmp_path, tree, CHECKERS[0])) == []


def test_the_checker_takes_preseeds(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text() + PHYSICAL_HOSTS % {"os": "deb"})
    assert list(staged(tmp_path, tree, CHECKERS[1])) == []


def test_debians_installer_does_not_stop_without_its_archive_of_updates(tmp_path: Path) -> None:
    text = text_of(tree_of(tmp_path, site_text()), f"{SERVED}/profiles/deb.cfg")
    assert "\nd-i apt-setup/service-failed note\n" in text


def test_each_disk_of_an_array_can_be_booted_from_by_uefi(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text() + PHYSICAL_HOSTS % {"os": "deb"})
    text = text_of(tree, f"{SERVED}/profiles/deb.d/{ARRAY}").replace("\\\n", "")
    (recipe,) = re.findall(
        "^d-i partman-auto/expert_recipe string +vg0 :: (.*)$", text, re.MULTILINE
    )
    parts = [each.split() for each in f" {recipe} ".split(" . ") if each.strip()]
    methods = [re.findall(r" method{ (\S+) }", " ".join(each)) for each in parts]
    assert methods == [["biosgrub"], ["efi"], ["raid"], ["raid"], ["format"], ["swap"]]
    for least, priority, most, *_ in parts:
        assert 0 < int(least) <= int(priority)
        assert int(most) == -1 or int(least) <= int(most)


def test_by_uefi_the_network_stays_first(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text())
    text = text_of(tree, f"{SERVED}/profiles/deb.cfg")
    assert "\nd-i grub-installer/update-nvram boolean false\n" in text
    assert "\ngrub-efi-amd64 grub2/update_nvram boolean false\n" in text
    assert " --leavebootorder\n" in text_of(tree, f"{SERVED}/profiles/el.d/default.cfg")


def test_no_sources_are_looked_for_on_a_mirror(tmp_path: Path) -> None:
    text = text_of(tree_of(tmp_path, site_text()), f"{SERVED}/profiles/deb.cfg")
    assert "\nd-i apt-setup/enable-source-repositories boolean false\n" in text


def test_a_preseed_is_checked_while_apt_holds_the_database(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text())
    with Path("/var/cache/debconf/config.dat").open("r+b") as database:
        fcntl.flock(database, fcntl.LOCK_EX)
        assert list(staged(tmp_path, tree, CHECKERS[1])) == []


def test_the_checkers_take_sns_pisa(sns_pisa: Site, tmp_path: Path) -> None:
    assert failures(tmp_path, compiled(compile_installer, sns_pisa, folder=SNS_PISA.parent)) == []


def test_old_and_new_kickstarts_differ(tmp_path: Path) -> None:
    old = text_of(tree_of(tmp_path, site_text("RHEL4")), f"{SERVED}/profiles/el.cfg")
    new = text_of(tree_of(tmp_path, site_text("RHEL9")), f"{SERVED}/profiles/el.cfg")
    assert old.startswith("#version=RHEL4\n")
    assert "\ninstall\n" in old
    assert "%end" not in old
    assert "\ninstall\n" not in new
    assert new.count("%end") == 4


def test_a_further_interface_never_takes_the_default_route(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text() + PHYSICAL_HOSTS % {"os": "deb"})
    text = text_of(tree, f"{SERVED}/profiles/deb.d/{ARRAY}")
    (line,) = [line for line in text.splitlines() if "late_command" in line]
    folder = tmp_path / "target/etc/network/interfaces.d"
    folder.mkdir(parents=True)
    command = line.partition(" string ")[2].partition(" wget ")[0]
    subprocess.run(["dash", "-c", command.replace("/target", f"{tmp_path}/target")], check=True)
    assert (folder / "eth1").read_text().splitlines()[1:] == [
        "iface eth1 inet static",
        "address 192.168.1.31",
        "netmask 255.255.255.0",
    ]
    assert (folder / "eth2").read_text().splitlines()[1:] == ["iface eth2 inet dhcp", "metric 100"]
    old = tree_of(tmp_path, site_text() + PHYSICAL_HOSTS % {"os": "el"})
    kickstart = text_of(old, f"{SERVED}/profiles/el.d/{ARRAY}")
    assert kickstart.count("network --device") == kickstart.count(" --nodefroute") == 2


def test_a_kickstart_takes_environments_and_leaves_packages_out(tmp_path: Path) -> None:
    text = site_text().replace(
        "release: RHEL9,", 'release: RHEL9, packages: ["@^min", -firewalld],'
    )
    tree = tree_of(tmp_path, text)
    lines = text_of(tree, f"{SERVED}/profiles/el.cfg").splitlines()
    assert {"@^min", "-firewalld"} <= set(lines[lines.index("%packages") : lines.index("%end")])
    assert list(staged(tmp_path, tree, CHECKERS[0])) == []


def test_no_service_of_the_site_is_shut_out(tmp_path: Path) -> None:
    text = site_text().replace("roles: [install]", "os: el, roles: [install, dhcp, dns, collector]")
    tree = tree_of(tmp_path, text)
    (line,) = [
        line
        for line in text_of(tree, f"{SERVED}/profiles/el.cfg").splitlines()
        if line.startswith("firewall")
    ]
    assert line == "firewall --disabled"


def test_a_dual_boot_host_is_installed_on_the_disk_it_boots_from(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text())
    folder = f"{SERVED}/profiles/el.d"
    assert text_of(tree, f"{folder}/hosts") == "192.168.1.12 disk-sdb\n192.168.1.14 disk-sdb\n"
    part = text_of(tree, f"{folder}/disk-sdb.cfg")
    assert "ignoredisk --only-use=sdb\n" in part
    assert "sda" not in part
    assert tree.entries[f"{folder}/disk-sdb.cfg"].concerns == ("second", "fourth")
    assert "d-i partman-auto/disk string /dev/sdb\n" in text_of(
        tree, f"{SERVED}/profiles/deb.d/disk-sdb.cfg"
    )


def test_an_array_without_the_system_disk_is_left_alone(tmp_path: Path) -> None:
    text = (
        site_text()
        + """
physical_hosts:
  ph: {address: 192.168.1.20, os: el, raid: {level: 1, disks: [sdb, sdc]}}
"""
    )
    assert "192.168.1.20 " not in text_of(tree_of(tmp_path, text), f"{SERVED}/profiles/el.d/hosts")


@pytest.mark.parametrize(
    ("own", "reachable", "part"),
    [
        ("192.168.1.12", True, "disk-sdb"),
        ("192.168.1.1", True, "default"),
        ("192.168.1.12", False, ""),
    ],
)
def test_a_host_finds_its_part_or_stops(
    own: str, reachable: bool, part: str, tmp_path: Path
) -> None:
    """%pre of a kickstart, run by dash."""
    served = _serve(tree_of(tmp_path, site_text()), tmp_path, own, reachable=reachable)
    script = (served / "el.cfg").read_text().partition("%pre\n")[2].partition("%end")[0]
    _dash(script.replace("/tmp/", f"{tmp_path}/"), tmp_path)  # noqa: S108
    chosen = tmp_path / "host.ks"
    assert chosen.exists() == bool(part)
    assert not part or chosen.read_text() == (served / f"el.d/{part}.cfg").read_text()


@pytest.mark.parametrize(
    ("own", "reachable", "part"),
    [
        ("192.168.1.13", True, "disk-sdb"),
        ("192.168.1.1", True, "default"),
        ("192.168.1.13", False, "table-unreachable"),
    ],
)
def test_a_preseed_includes_the_part_or_what_stops_it(
    own: str, reachable: bool, part: str, tmp_path: Path
) -> None:
    served = _serve(tree_of(tmp_path, site_text()), tmp_path, own, reachable=reachable)
    script = (served / "deb.d/part.sh").read_text()
    script = script.replace("/tmp/", f"{tmp_path}/")  # noqa: S108
    assert _dash(script, tmp_path) == f"deb.d/{part}.cfg\n"
    assert (served / f"deb.d/{part}.cfg").exists() == reachable


def _serve(tree: Tree, folder: Path, own: str, *, reachable: bool) -> Path:
    """Write the tree, with an `ip` and a `curl` that know this host and the install server."""
    for path, entry in tree.entries.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.content)
    (folder / "bin").mkdir()
    _program(folder / "bin/ip", f"echo '    inet {own}/24 brd 192.168.1.255 scope global eth0'")
    document_root = folder / (SERVED if reachable else "nowhere")
    _program(folder / "bin/curl", f'for url; do :; done; exec cat "{document_root}/${{url#*//*/}}"')
    return folder / SERVED / "profiles"


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _dash(script: str, folder: Path) -> str:
    return subprocess.run(
        ["dash"],
        input=script,
        env={"PATH": f"{folder}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_middleware_lists_requirements_first_and_each_script_once(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    for name in "abc":
        (tmp_path / f"tools/{name}.sh").write_text(f"#!/bin/sh\necho {name}\n")
    text = (
        site_text()
        + """
middleware:
  top: {scripts: [tools/c.sh, "https://x.example.org/d.sh?a=1"], requires: [left, right]}
  left: {scripts: [tools/b.sh], requires: [base]}
  right: {scripts: [tools/a.sh, tools/b.sh], requires: [base]}
  base: {scripts: [tools/a.sh]}
"""
    )
    tree = tree_of(tmp_path, text)
    url = "http://192.168.1.2/scripts/tools"
    assert text_of(tree, f"{SERVED}/middleware/top.list").splitlines() == [
        f"{url}/a.sh",
        f"{url}/b.sh",
        f"{url}/c.sh",
        "https://x.example.org/d.sh?a=1",
    ]
    assert text_of(tree, f"{SERVED}/middleware/base.list") == f"{url}/a.sh\n"
    assert text_of(tree, f"{SERVED}/scripts/tools/b.sh") == "#!/bin/sh\necho b\n"


def test_a_script_never_stands_in_for_our_own_files(tmp_path: Path) -> None:
    (tmp_path / "post").mkdir()
    (tmp_path / "post/install.sh").write_text("exit\n")
    tree = tree_of(tmp_path, site_text() + "middleware:\n  x: {scripts: [post/install.sh]}\n")
    assert text_of(tree, f"{SERVED}/scripts/post/install.sh") == "exit\n"
    assert "Post-install hook" in text_of(tree, f"{SERVED}/post/install.sh")


def test_without_a_password_root_is_locked(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, site_text())
    assert "rootpw --lock\n" in text_of(tree, f"{SERVED}/profiles/el.cfg")
    # At a `!` Debian's installer asks for a password.
    assert "root-password-crypted password *\n" in text_of(tree, f"{SERVED}/profiles/deb.cfg")


def test_a_password_hash_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    (tmp_path / "root.hash").write_text(HASH + "\n")
    tree = tree_of(tmp_path, site_text() + "root_password: {file: root.hash}\n")
    holders = {path for path, entry in tree.entries.items() if HASH.encode() in entry.content}
    assert holders == {f"{SERVED}/profiles/el.cfg", f"{SERVED}/profiles/deb.cfg"}
    readable = {(tree.entries[path].mode, tree.entries[path].group) for path in holders}
    assert readable == {(0o640, "www-data")}
    assert json.loads(manifest(tree.entries))[f"{SERVED}/profiles/el.cfg"]["group"] == "www-data"
    others = [entry for path, entry in tree.entries.items() if path not in holders]
    assert {(each.mode, each.group) for each in others} == {(0o644, "root")}
    assert failures(tmp_path, tree) == []


def test_on_red_hat_the_web_server_is_apache(tmp_path: Path) -> None:
    (tmp_path / "root.hash").write_text(HASH + "\n")
    text = site_text().replace("roles: [install]", "os: el, roles: [install]")
    tree = tree_of(tmp_path, text + "root_password: {file: root.hash}\n")
    assert tree.entries[f"{SERVED}/profiles/el.cfg"].group == "apache"


@pytest.mark.parametrize("content", ["secret", "", "$6$short", f"{HASH}\n{HASH}"])
def test_what_is_no_hash_is_refused_and_not_shown(content: str, tmp_path: Path) -> None:
    (tmp_path / "root.hash").write_text(content)
    with pytest.raises(SecretMissing, match="no password hash") as caught:
        tree_of(tmp_path, site_text() + "root_password: {file: root.hash}\n")
    assert not content or content not in str(caught.value)


def test_a_password_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = site_text() + "root_password: {env: ROOT_HASH}\n"
    with pytest.raises(SecretMissing, match="ROOT_HASH is not set"):
        tree_of(tmp_path, text)
    monkeypatch.setenv("ROOT_HASH", HASH)
    assert HASH in text_of(tree_of(tmp_path, text), f"{SERVED}/profiles/el.cfg")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("profiles/sl4-32.cfg", b"selinux --enforcing", b"selinux --enforced"),
        ("profiles/sl4-32.cfg", b"#version=RHEL4", b"#version=SL4"),
        ("profiles/debian.cfg", b"d-i partman/confirm boolean true", b"d-i partman/confirm"),
        ("post/install.sh", b"esac", b""),
    ],
)
def test_the_checkers_point_at_the_line(
    path: str, old: bytes, new: bytes, sns_pisa: Site, tmp_path: Path
) -> None:
    tree = compiled(compile_installer, sns_pisa, folder=SNS_PISA.parent)
    entry = tree.entries[f"{ROOT}/{path}"]
    assert old in entry.content
    tree.entries[f"{ROOT}/{path}"] = entry._replace(content=entry.content.replace(old, new))
    found = failures(tmp_path, tree)
    assert [each.path for each in found] == [f"{ROOT}/{path}"]
    assert found[0].line > 0


def test_ten_thousand_dual_boot_nodes_share_a_part(tmp_path: Path) -> None:
    text = (
        HEAD.replace("192.168.1.0/24, gateway: 192.168.1.254", "10.0.0.0/16")
        + """
service_hosts:
  a: {address: 10.0.255.1, roles: [install]}
os_profiles:
  el: {installer: kickstart, kernel: k, initrd: i}
worker_nodes:
  wn[00001-10000]: {address: 10.0.0.1-10.0.39.16, os: el, dual_boot: {}, boot: disk2}
"""
    )
    site = good_site(tmp_path, text)
    tree = compiled(compile_installer, site)
    assert len(tree.entries) == 5
    assert text_of(tree, f"{SERVED}/profiles/el.d/hosts").count("\n") == 10000
