"""Apply to folders: what is switched, what is refused, what is kept, and the way back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.rollout.rolling import LINK, MORE, SITE, Rolling, invoke, leftovers, tamper
from threerc.compiler.findings import ThreeRcError
from threerc.rollout import commits
from threerc.rollout.apply import Rollout
from threerc.rollout.errors import RolloutError
from threerc.rollout.fleet import Fleet
from threerc.rollout.history import History, who
from threerc.rollout.sessions import Session
from threerc.rollout.tree import Tree
from threerc.runtime.errors import Unreachable


@pytest.fixture
def site(tmp_path: Path) -> Rolling:
    rolling = Rolling(tmp_path / "site")
    rolling.build(SITE)
    rolling.good()
    return rolling


def refused(site: Rolling, *arguments: str) -> str:
    """Why an apply is refused."""
    done = site.apply(*arguments)
    assert done.exit_code != 0
    return f"{done.output} {done.exception}"


def test_all_hosts_get_their_files_and_again_nothing_is_done(site: Rolling) -> None:
    assert site.is_applied()
    before = {path: path.lstat().st_ino for path in site.root.rglob("*")}
    assert "nothing to do" in site.good()
    assert {path: path.lstat().st_ino for path in site.root.rglob("*")} == before


def test_a_change_and_the_way_back(site: Rolling) -> None:
    old = site.text("bibe/etc/dhcp/dhcpd.conf")
    site.build(SITE + MORE)
    said = site.good()
    assert "applied as generation 2" in said
    assert "bibe: dhcpd" not in said  # a folder has no daemons
    assert site.is_applied()
    assert os.readlink(site.root / "bibe/srv/tftp/pxelinux.cfg/C0A80168") == "local"
    back = invoke("rollback", "--root", str(site.root), "--out", str(site.out), "--force")
    assert back.exit_code == 0, back.output
    assert back.output.startswith("generation 1 against generation 2: 1 change, 1 of 6 hosts")
    summary = History(site.root / ".3rc").times()[-1].summary
    assert summary.startswith("back to generation 1 against generation 2: 1 change")
    assert site.text("bibe/etc/dhcp/dhcpd.conf") == old
    assert not (site.root / "bibe/srv/tftp/pxelinux.cfg/C0A80168").is_symlink()
    assert leftovers(site.root) == []


def test_the_history_says_who_when_what(site: Rolling) -> None:
    site.build(SITE + MORE)
    site.good()
    told = json.loads(invoke("history", "--root", str(site.root), "--json").output)
    assert told["current"] == 2
    assert [each["result"] for each in told["times"]] == ["applied", "applied"]
    assert "1 change, 1 of 6 hosts" in told["times"][1]["summary"]
    assert "@" in told["times"][1]["who"]


def test_what_is_at_stake_needs_its_name(site: Rolling) -> None:
    site.build(SITE.replace('01:01", os: debian}', '01:01", os: debian, boot: install}'))
    assert "--allow wn1" in refused(site)
    assert os.readlink(site.root / "bibe" / LINK) == "local"
    site.good("--allow", "wn1")
    assert os.readlink(site.root / "bibe" / LINK) == "debian"


def test_what_is_at_stake_is_named_as_the_plan_shows_it(site: Rolling) -> None:
    """Equal names folded, in what is asked for as in what is given."""
    site.build(SITE.replace("os: debian}", "os: debian, boot: install}"))
    said = refused(site, "--force")
    assert "to be allowed by name when it is applied: wn[1-3]\n" in said
    assert said.endswith("to agree: --allow 'wn[1-3]'")
    assert refused(site, "--force", "--allow", "wn[1-2]").endswith("to agree: --allow wn3")
    site.good("--force", "--allow", "wn[1-2],wn3")
    assert os.readlink(site.root / "bibe" / LINK) == "debian"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "--allow nonsense: nothing is at stake there: nonsense"),
        ("wn[1-9]", "--allow wn[1-9]: nothing is at stake there: wn[2-9]"),
        ("wn2", "--allow wn2: nothing is at stake there: wn2"),
        ("wn[1", "--allow: `wn[1` has a bracket without its partner"),
    ],
)
def test_what_is_not_at_stake_cannot_be_allowed(site: Rolling, given: str, said: str) -> None:
    site.build(SITE.replace('01:01", os: debian}', '01:01", os: debian, boot: install}'))
    for more in ((), ("--dry-run",)):
        assert str(site.apply("--allow", "wn1", "--allow", given, *more).exception) == said


def test_many_hosts_need_force(site: Rolling) -> None:
    text = SITE
    for number in (1, 2, 3):
        text = text.replace(f"00:01:0{number}", f"00:02:0{number}")
    site.build(text)
    assert "--force" in refused(site)
    site.good("--force")


def test_a_file_edited_by_hand_is_not_overwritten_in_silence(site: Rolling) -> None:
    file = site.root / "bibe/etc/dhcp/dhcpd.conf"
    edited = file.read_text() + "# by hand\n"
    file.write_text(edited)
    assert "bibe/etc/dhcp/dhcpd.conf: was changed by hand" in site.good()
    assert file.read_text() == edited
    site.build(SITE + MORE)
    assert "in the way: bibe/etc/dhcp/dhcpd.conf" in refused(site)
    assert file.read_text() == edited
    assert not (site.root / "bibe/srv/tftp/pxelinux.cfg/C0A80168").is_symlink()
    site.good("--overwrite", "bibe/etc/dhcp/dhcpd.conf")
    assert site.is_applied()
    kept = list(site.root.glob("bibe/var/lib/3rc/applied/replaced/*/etc/dhcp/dhcpd.conf"))
    assert [each.read_text() for each in kept] == [edited]


def test_an_edit_can_be_taken_back_though_nothing_else_changes(site: Rolling) -> None:
    (site.root / "bibe/etc/hosts").unlink()
    assert "was removed by hand" in site.good()
    site.good("--overwrite", "bibe/etc/hosts")
    assert site.is_applied()


def test_files_that_were_there_before_are_not_overwritten_in_silence(tmp_path: Path) -> None:
    site = Rolling(tmp_path / "site")
    site.build(SITE)
    hosts = site.root / "bussolo/etc/hosts"
    hosts.parent.mkdir(parents=True)
    hosts.write_text("127.0.0.1 localhost mine\n")
    assert "bussolo/etc/hosts: was there before" in refused(site)
    assert not (site.root / "bibe/etc").exists()
    site.good("--overwrite", "bussolo")
    assert site.is_applied()


def test_a_boot_link_that_was_switched_since_is_kept_and_told(site: Rolling) -> None:
    link = site.root / "bibe" / LINK
    link.unlink()
    link.symlink_to("debian")
    site.build(SITE + MORE)
    assert f"boot link switched since, kept: bibe/{LINK}: debian" in site.good("--dry-run")
    assert f"boot link switched since, kept: bibe/{LINK}: debian" in site.good()
    assert os.readlink(link) == "debian"
    assert (site.root / "bibe/srv/tftp/pxelinux.cfg/C0A80168").is_symlink()


def test_a_host_that_is_gone_from_the_site_is_named_and_left(site: Rolling) -> None:
    site.build(SITE.replace("  bussolo: {address: 192.168.1.9, roles: [dns]}\n", ""))
    assert "not of the site any more, left as it is: bussolo" in site.good("--force")
    assert "any more" not in site.good()
    assert site.text("bussolo/etc/hosts")


def test_a_dry_run_changes_nothing(site: Rolling) -> None:
    site.build(SITE + MORE)
    assert "files change on bibe" in site.good("--dry-run")
    assert not site.has(site.out)
    assert History(site.root / ".3rc").current() == 1


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    """Neither a history nor a host; nor, where a host's folder is there, anything below it."""
    site = Rolling(tmp_path / "site")
    site.build(SITE)
    for _ in range(2):
        assert "files change on bibe, bussolo" in site.good("--dry-run")
        assert [*site.folder.glob("root/**/*")] == [*site.folder.glob("root/bibe")]
        (site.root / "bibe").mkdir(parents=True, exist_ok=True)


def test_a_file_that_its_daemon_refuses_is_never_switched_to(site: Rolling) -> None:
    old = site.text("bibe/etc/hosts")
    broken = "bibe/etc/dhcp/dhcpd.conf"
    site.build(SITE + MORE)
    text = (site.out / broken).read_text() + "no such statement;\n"
    tamper(site.out, broken, text)
    assert "dhcpd refuses bibe/etc/dhcp/dhcpd.conf" in refused(site)
    assert site.text("bibe/etc/hosts") == old
    assert leftovers(site.root) == []
    times = History(site.root / ".3rc").times()
    assert times[-1].result == "rolled back"
    assert "dhcpd refuses" in times[-1].why


def test_a_tree_that_was_edited_is_not_applied(site: Rolling) -> None:
    site.build(SITE + MORE)
    (site.out / "bibe/etc/hosts").write_text("")
    assert "was changed since it was built" in refused(site)


def test_two_at_once_exclude_each_other(site: Rolling) -> None:
    """The second is told of the first, and does not take its name away."""
    history = History(site.root / ".3rc")
    with history.exclusive():
        for _ in range(2):
            said = refused(site)
            assert f"another apply of this site is under way, by {who()} since 20" in said


def test_where_the_history_cannot_be_written_nothing_is_applied(site: Rolling) -> None:
    (site.root / ".3rc/generations/new").write_text("in the way")
    old = site.text("bibe/etc/dhcp/dhcpd.conf")
    site.build(SITE + MORE)
    assert ".3rc/generations/new: File exists" in refused(site)
    assert site.text("bibe/etc/dhcp/dhcpd.conf") == old
    assert leftovers(site.root) == []


def test_what_was_applied_from_elsewhere_is_not_overwritten_in_silence(site: Rolling) -> None:
    site.build(SITE + MORE)
    other = str(site.folder / "other")
    assert "not from here" in refused(site, "--state", other)
    overwrite = [word for host in ("bibe", "bussolo") for word in ("--overwrite", host)]
    site.good("--state", other, *overwrite)
    assert site.is_applied()


def test_a_host_of_an_image_leads_nowhere_else(tmp_path: Path) -> None:
    site = Rolling(tmp_path / "site")
    site.build(SITE)
    outside = tmp_path / "outside"
    outside.mkdir()
    (site.root / "bibe").mkdir(parents=True)
    (site.root / "bibe/etc").symlink_to(outside)
    assert "leads out of" in refused(site)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("bib", "the tree has no host bib"),
        ("/etc/hosts", "the tree has no host "),
        ("bibe/etc/host", "the tree has nothing there"),
        ("bibe/srv", None),
        ("bibe/etc/hosts", None),
        ("bibe/", None),
    ],
)
def test_what_is_nowhere_cannot_be_overwritten(site: Rolling, given: str, said: str | None) -> None:
    done = site.apply("--overwrite", given)
    if said is None:
        assert done.output == "nothing to do\n"
    else:
        assert str(done.exception) == f"--overwrite {given}: {said}"


def test_what_is_to_go_can_be_overwritten(site: Rolling) -> None:
    """Files that were of the last tree, and are not of this one."""
    (site.root / "bibe" / "etc/dhcp/dhcpd.conf").write_text("mine")
    site.build(SITE.replace("[dhcp, dns, tftp", "[dns, tftp"))
    site.good("--force", "--overwrite", "bibe/etc/dhcp")
    assert site.is_applied()


def test_the_history_names_the_commit_and_what_is_not_committed(site: Rolling) -> None:
    """By what was built, not by what is there now; a rollback has the commit of old."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(site.folder), *who, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("add", "site.yaml", "site.lock")
    git("commit", "-qm", "first")
    first = git("rev-parse", "--short=12", "HEAD")
    site.build(SITE + MORE)
    site.good()
    site.build(SITE)
    git("commit", "-qam", "second")
    second = git("rev-parse", "--short=12", "HEAD")
    site.good()
    invoke("rollback", "2", "--root", str(site.root), "--out", str(site.out), "--force")
    # Built, and only then changed and committed: the tree is not of that commit.
    site.build(SITE + MORE)
    (site.folder / "site.yaml").write_text(SITE + MORE.replace("104", "105"))
    git("commit", "-qam", "third")
    third = git("rev-parse", "--short=12", "HEAD")
    site.good("--force")
    # Edited since it was built: the tree still is of its commit.
    site.build((site.folder / "site.yaml").read_text())
    git("commit", "-qam", "fourth")
    fourth = git("rev-parse", "--short=12", "HEAD")
    (site.folder / "site.yaml").write_text(SITE)
    site.good("--force")
    commits = [each.commit for each in History(site.root / ".3rc").times()]
    assert commits == ["", f"{first}+", second, f"{first}+", f"{third}+", fourth]


def test_a_tree_that_is_damaged_is_told(site: Rolling) -> None:
    site.build(SITE + MORE)
    manifest, snapshot = site.out / "manifest.json", site.out / "site.json"
    for file, text in ((manifest, "["), (manifest, "[]"), (snapshot, "{}")):
        good = file.read_text()
        file.write_text(text)
        done = site.apply()
        assert isinstance(done.exception, ThreeRcError)
        assert str(done.exception).startswith(str(file))
        file.write_text(good)


def test_without_any_generation_the_history_says_so(tmp_path: Path) -> None:
    told = invoke("history", "--root", str(tmp_path))
    assert (told.exit_code, told.output) == (0, f"{tmp_path}/.3rc: nothing was applied\n")


def test_a_generation_that_is_not_kept_is_named(site: Rolling) -> None:
    with pytest.raises(RolloutError, match="there is no generation 7"):
        History(site.root / ".3rc").tree(7)


def test_a_tree_that_is_not_there_is_to_be_built(tmp_path: Path) -> None:
    done = invoke("apply", str(tmp_path / "out"))
    assert str(done.exception) == f"there is no tree {tmp_path}/out: `3rc build` writes one"


def test_of_many_hosts_that_are_not_reached_some_are_told(site: Rolling) -> None:
    more = "".join(f"  ns{n}: {{address: 192.168.1.2{n}, roles: [dns]}}\n" for n in range(5))
    site.build(SITE.replace("worker_nodes:\n", f"{more}worker_nodes:\n"))

    def nowhere(host: str) -> Session:
        raise Unreachable(f"{host}: no route")

    tree, history = Tree.read(site.out), History(site.root / ".3rc")
    with (
        Fleet(nowhere, 1.0) as fleet,
        pytest.raises(RolloutError, match=r"ns2: no route; and 2 more$"),
    ):
        Rollout(fleet, tree, history, print).survey([])


def test_who_has_nothing_to_do_compiles_nothing(
    site: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is looked up where there is something to write beside it."""

    def asked(_tree: Tree) -> str:
        raise AssertionError

    monkeypatch.setattr(commits, "commit_of", asked)
    assert "nothing to do" in site.good()
