"""The commands, as a sysadmin or a program calls them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.support import HEAD, ROOT, SNS_PISA
from threerc.compiler import build
from threerc.compiler.cli import build_main

SITE = (
    HEAD
    + """\
service_hosts:
  s: {address: 192.168.1.2, mac: 02:00:00:00:00:01, roles: [dhcp, dns, tftp]}
"""
)
BROKEN = (
    HEAD
    + """\
service_hosts:
  s: {adress: 192.168.1.2, mac: zz}
"""
)


def threerc(
    *arguments: str | Path, cwd: Path, entry: str = "main", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `3rc` (or `3rc-build`) as a process of its own."""
    code = f"from threerc.compiler.cli import {entry}; {entry}()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".src"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    return tmp_path


def test_build_writes_the_tree_and_says_what_it_made(folder: Path) -> None:
    done = threerc("site.yaml", cwd=folder, entry="build_main")
    assert done.returncode == 0, done.stderr
    assert (folder / "out/s/etc/dhcp/dhcpd.conf").is_file()
    assert "1 service host" in done.stdout
    assert "checked by dhcpd" in done.stdout


def test_findings_name_their_place_on_stderr(folder: Path) -> None:
    done = threerc("check", "broken.yaml", cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("broken.yaml:6:7: unknown key `adress`, did you mean `address`? (s)")
    assert any(line.startswith("broken.yaml:6:33: mac: not the MAC") for line in lines)
    assert not (folder / "out").exists()


def test_findings_as_json(folder: Path) -> None:
    done = threerc("check", "--json", "broken.yaml", cwd=folder)
    assert done.returncode == 1
    (first, *_) = json.loads(done.stdout)["findings"]
    assert (first["file"], first["line"], first["column"]) == ("broken.yaml", 6, 7)
    assert first["rule"] == "unknown-key"


def test_findings_as_annotations(folder: Path) -> None:
    done = threerc("check", "--format", "github", "broken.yaml", cwd=folder)
    assert done.stdout.startswith(
        "::error file=broken.yaml,line=6,col=7,title=unknown-key::unknown"
    )


def test_a_fine_site_as_json_has_no_errors(folder: Path) -> None:
    done = threerc("check", "--json", "site.yaml", cwd=folder)
    assert done.returncode == 0
    assert all(f["severity"] == "warning" for f in json.loads(done.stdout)["findings"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build"], "3rc: Missing argument 'SITE...'.\n  hint: 3rc build --help\n"),
        (["check", "--jsn", "x"], "3rc: No such option '--jsn'. Did you mean '--json'?\n"),
        (["nonsense"], "3rc: No such command 'nonsense'.\n  hint: 3rc --help\n"),
        (["build", "a", "b", "-o", "c"], "3rc: -o and --graph take one site at a time\n"),
        (["build", "-o"], "3rc: Option '-o' requires an argument.\n"),
        ([], "Usage: 3rc [OPTIONS] COMMAND [ARGS]...\n"),
    ],
)
def test_usage_errors_exit_2_and_begin_as_all_others(
    folder: Path, arguments: list[str], said: str
) -> None:
    done = threerc(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)


def test_what_has_a_place_begins_with_it(folder: Path) -> None:
    (folder / "dhcpd.conf").write_text("authoritative\noption domain-name x;\n")
    (folder / "controller.yaml").write_text("version: 1\nnonsense: 3\n")
    broken = threerc("import", "--dhcpd", "dhcpd.conf", cwd=folder)
    assert broken.stderr == "dhcpd.conf:1: no semicolon before `option` of line 2\n"
    unread = threerc("simulate", "controller.yaml", "--crashes", "1", cwd=folder)
    assert unread.stderr.startswith("controller.yaml:1:")
    absent = threerc("apply", "out", cwd=folder)
    assert absent.stderr == "3rc: there is no tree out: `3rc build` writes one\n"
    like_one = threerc("apply", "10.0.0.1:80: x", cwd=folder)
    assert like_one.stderr.startswith("3rc: there is no tree 10.0.0.1:80: x: ")


def test_one_of_a_thing_is_no_plural(folder: Path) -> None:
    assert "(1 service host)" in threerc("build", "site.yaml", "--no-verify", cwd=folder).stdout
    said = "site.yaml: 1 host, no errors, 0 warnings\n"
    assert threerc("check", "site.yaml", cwd=folder).stdout == said


def test_a_missing_site_is_one_line(folder: Path) -> None:
    done = threerc("check", "nowhere.yaml", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "nowhere.yaml:1:1: cannot read: No such file or directory [read]\n"


def test_locked_refuses_what_the_lock_does_not_know(folder: Path) -> None:
    done = threerc("build", "--locked", "site.yaml", cwd=folder)
    assert done.returncode == 1
    assert "the lock would change" in done.stderr
    assert not (folder / "site.lock").exists()
    assert threerc("build", "site.yaml", cwd=folder).returncode == 0
    assert threerc("build", "--locked", "site.yaml", cwd=folder).returncode == 0


def test_a_number_of_a_volume_in_the_lock_is_not_given_to_another(folder: Path) -> None:
    peers = "physical_hosts: {p1: {address: 192.168.1.3}, p2: {address: 192.168.1.4}}\n"
    volumes = "volumes:\n  a: {peers: [p1, p2], disk: /dev/vg/a, size: 1GiB}\n"
    (folder / "site.yaml").write_text(SITE + peers + volumes)
    assert threerc("build", "site.yaml", "--no-verify", cwd=folder).returncode == 0
    lock = (folder / "site.lock").read_text()
    volumes += "  b: {peers: [p1, p2], disk: /dev/vg/b, size: 1GiB, minor: 0}\n"
    (folder / "site.yaml").write_text(SITE + peers + volumes)
    for command in (["check", "site.yaml"], ["build", "site.yaml", "--no-verify"]):
        done = threerc(*command, cwd=folder)
        assert done.returncode == 1
        assert "minor 0 of volume `b` is that of `a` in site.lock [locked-number]" in done.stderr
    assert (folder / "site.lock").read_text() == lock


def test_a_broken_lock_is_found_by_check_too(folder: Path) -> None:
    (folder / "site.lock").write_text("volumes:\n  a: {minor: x, port: 1}\n")
    done = threerc("check", "site.yaml", cwd=folder)
    assert done.returncode == 1
    assert "site.lock:2:14: volumes.a.minor" in done.stderr


def test_a_bad_site_leaves_the_old_tree(folder: Path) -> None:
    assert threerc("build", "site.yaml", cwd=folder).returncode == 0
    before = (folder / "out/manifest.json").read_text()
    shutil.copy(folder / "broken.yaml", folder / "site.yaml")
    assert threerc("build", "site.yaml", cwd=folder).returncode == 1
    assert (folder / "out/manifest.json").read_text() == before


def test_same_bytes_whatever_the_machine_says(tmp_path: Path) -> None:
    manifests: list[str] = []
    for place, seed, zone in (("a", "1", "UTC"), ("b/c", "2", "Pacific/Auckland")):
        copy = tmp_path / place
        shutil.copytree(SNS_PISA.parent, copy, ignore=shutil.ignore_patterns("out", ".out*"))
        done = threerc(
            "build", "--no-verify", "site.yaml", cwd=copy, PYTHONHASHSEED=seed, TZ=zone, LC_ALL="C"
        )
        assert done.returncode == 0, done.stderr
        manifests.append((copy / "out/manifest.json").read_text())
    assert manifests[0] == manifests[1]


def test_a_secret_that_is_missing_is_a_finding(folder: Path) -> None:
    secret = SITE + "root_password: {env: NOBODY_SETS_THIS}\n"
    (folder / "site.yaml").write_text(secret, encoding="utf-8")
    for command in ("check", "build"):
        done = threerc(command, "--json", "site.yaml", cwd=folder)
        assert done.returncode == 1
        found = [f for f in json.loads(done.stdout)["findings"] if f["severity"] == "error"]
        assert [(f["rule"], f["line"], f["column"]) for f in found] == [("root-password", 7, 22)]
    assert threerc("check", "site.yaml", cwd=folder, NOBODY_SETS_THIS="!").returncode == 0


@pytest.mark.parametrize("second", ["other.yaml", "site.yaml", "linked/site.yaml"])
def test_two_sites_of_one_folder_are_refused(folder: Path, second: str) -> None:
    (folder / "other.yaml").write_text(SITE, encoding="utf-8")
    linked = folder / "linked"
    linked.mkdir()
    (linked / "site.yaml").symlink_to(folder / "other.yaml")
    done = threerc("build", "site.yaml", second, cwd=folder)
    assert done.returncode == 2
    assert "would share" in done.stderr
    assert not (folder / "out").exists()


def test_a_linked_site_has_its_files_and_lock_beside_itself(tmp_path: Path) -> None:
    real, linked = tmp_path / "real", tmp_path / "linked"
    real.mkdir()
    linked.mkdir()
    inventory = "inventories: [{file: nodes.csv, section: worker_nodes}]\n"
    (real / "site.yaml").write_text(SITE + inventory, encoding="utf-8")
    (real / "nodes.csv").write_text("name,ip\nn,192.168.1.2\n", encoding="utf-8")
    (linked / "site.yaml").symlink_to("../real/site.yaml")
    done = threerc("check", "linked/site.yaml", cwd=tmp_path)
    assert "linked/site.yaml:6:16: 192.168.1.2 of s is also that of n" in done.stderr
    (real / "nodes.csv").write_text("name,ip\nn,192.168.1.3\n", encoding="utf-8")
    assert threerc("build", "linked/site.yaml", cwd=tmp_path).returncode == 0
    assert {each.name for each in real.iterdir()} == {"site.yaml", "nodes.csv", "site.lock"}


def test_a_graph_that_cannot_be_written_changes_nothing(folder: Path) -> None:
    done = threerc("build", "site.yaml", "--graph", "nowhere/site.svg", cwd=folder)
    assert done.returncode == 1
    assert "cannot write nowhere/site.svg" in done.stderr
    assert not (folder / "out").exists()
    assert not (folder / "site.lock").exists()
    assert threerc("build", "site.yaml", "--graph", "site.svg", cwd=folder).returncode == 0
    assert (folder / "site.svg").is_file()


def test_interrupted_in_the_second_site_it_does_not_deny_the_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = folder / "second"
    second.mkdir()
    (second / "site.yaml").write_text(SITE, encoding="utf-8")
    honest = build.build

    def interrupted(path: Path, *rest: Any) -> build.Report:
        if path.parent == second:
            raise KeyboardInterrupt
        return honest(path, *rest)

    monkeypatch.setattr(build, "build", interrupted)
    sites = [str(folder / "site.yaml"), str(second / "site.yaml")]
    monkeypatch.setattr(sys, "argv", ["3rc-build", "--no-verify", *sites])
    with pytest.raises(SystemExit) as ended:
        build_main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith("interrupted; nothing is left half done\n")
    assert (folder / "out").is_dir()
    assert not (second / "out").exists()


def test_what_is_not_ours_is_refused(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/precious").write_text("x")
    done = threerc("build", "site.yaml", cwd=folder)
    assert done.returncode == 1
    assert "3rc did not make it" in done.stderr


def test_a_full_disk_is_one_line_and_leaves_nothing(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    mount = subprocess.run(
        ["unshare", "-m", "sh", "-ec", _FULL, "sh", sys.executable, str(small)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No space left on device" in mount.stderr
    assert "Traceback" not in mount.stderr
    assert mount.stdout.split() == ["1", "0"]


_FULL = """
mount -t tmpfs -o size=16k none "$2"
set +e
"$1" -c 'from threerc.compiler.cli import build_main; build_main()' site.yaml -o "$2/out" >/dev/null
echo $?
ls -A "$2" | wc -l
"""


def test_help_shows_an_example(folder: Path) -> None:
    assert "3rc check site.yaml" in threerc("check", "--help", cwd=folder).stdout


def test_help_imports_nothing_that_it_does_not_need() -> None:
    code = "import sys, threerc.compiler.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"pydantic", "yaml", "jinja2", "networkx"} & set(done.stdout.split())


def test_boot_shows_and_switches_a_range(tmp_path: Path) -> None:
    shutil.copytree(SNS_PISA.parent, tmp_path / "s", ignore=shutil.ignore_patterns("out", ".out*"))
    assert threerc("build", "--no-verify", "s/site.yaml", cwd=tmp_path).returncode == 0
    root = ("--root", tmp_path / "s/out/bibe")
    shown = threerc("boot", "wn[01-02]", *root, cwd=tmp_path)
    assert shown.stdout == "wn01 C0A80201 disk1\nwn02 C0A80202 disk1\n"
    switched = threerc("boot", "wn[01-02]", "disk2", *root, cwd=tmp_path)
    assert switched.stdout.splitlines()[0] == "wn01 C0A80201 disk2 (declared: disk1)"
    listed = threerc("boot", "wn01,wn[02]", *root, cwd=tmp_path)
    assert listed.stdout == switched.stdout
    refused = threerc("boot", "gridce", "disk1", *root, cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "3rc: gridce cannot boot `disk1`, only: local, install\n"
