"""Plans against trees, files and git revisions, and how they are shown."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.plan.test_changes import SITE
from tests.compiler.support import TODAY
from tests.compiler.test_cli import threerc
from threerc.compiler.findings import Rejected
from threerc.compiler.generation import manifest, manifest_lines
from threerc.compiler.plan import show
from threerc.compiler.plan.change import Change, Risk
from threerc.compiler.plan.compare import Comparison
from threerc.compiler.plan.errors import PlanError
from threerc.compiler.plan.files import FileChanges, compare, lines
from threerc.compiler.plan.plan import Plan, plan, told
from threerc.compiler.tree import Entry

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "site.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_against_what_was_built(folder: Path) -> None:
    assert threerc("build", "site.yaml", "--no-verify", cwd=folder).returncode == 0
    nothing = threerc("plan", "site.yaml", cwd=folder)
    assert (nothing.returncode, nothing.stdout) == (0, "site.yaml against out: nothing changes\n")
    edit(folder, "os: deb", "os: deb, inst: 1")
    done = threerc("plan", "site.yaml", "--diff", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith(
        "site.yaml against out: 1 change, 1 of 9 hosts (11%), worst: may lose data\n\n"
        "may lose data:\n  vm1: may now be reinstalled (INST 0 -> 1): controllers\n"
    )
    assert "to be allowed by name when it is applied: vm1\n" in done.stdout
    assert '"inst": 1' in done.stdout
    # Nothing was written by it.
    assert threerc("plan", "site.yaml", cwd=folder).returncode == 3


def test_against_another_file_and_a_revision(folder: Path) -> None:
    (folder / "old.yaml").write_text(SITE)
    edit(folder, "192.168.1.11", "192.168.1.19")
    by_file = plan(folder / "site.yaml", str(folder / "old.yaml"), TODAY)
    for command in (("init", "-q"), ("add", "old.yaml"), ("mv", "old.yaml", "site.yaml", "-f")):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "-qm", "before"], cwd=folder, check=True)
    assert (folder / "site.yaml").read_text() == SITE
    edit(folder, "192.168.1.11", "192.168.1.19")
    by_revision = plan(folder / "site.yaml", "HEAD", TODAY)
    assert by_revision.comparison == by_file.comparison
    assert by_revision.files == by_file.files
    assert [change.subject for change in by_file.comparison.changes] == ["vm1"]
    assert dict(told(by_file.files.daemons))["s"].startswith("dhcpd restart, named reload")


def test_the_plan_says_of_daemons_what_the_agent_will_do(folder: Path) -> None:
    """One that gets its first files starts, one that has lost its last stops.

    A last volume that goes is none of DRBD's business; a host that is gone is left as it is.
    """
    (folder / "old.yaml").write_text(SITE)
    edit(folder, "dhcp, dns, tftp", "tftp")
    edit(folder, "[collector, controller]}", "[collector, controller, dhcp, dns]}")
    edit(folder, "  wn[1-3]: {address: 192.168.1.21-", "  wn[2-3]: {address: 192.168.1.22-")
    edit(folder, "02:00:00:00:03:01-", "02:00:00:00:03:02-")
    edit(folder, "home: ph2, volume: data", "home: ph2")
    edit(folder, "volumes:\n  data: {peers: [ph1, ph2], disk: /dev/vg/data, size: 20GiB}\n", "")
    found = dict(told(plan(folder / "site.yaml", str(folder / "old.yaml"), TODAY).files.daemons))
    assert found["s"] == "dhcpd stop, named stop"
    assert found["t"] == "dhcpd start, named start"
    assert found.keys() == {"s", "t"}


def test_a_site_in_a_folder_of_its_repository(folder: Path) -> None:
    """Its lock and its side files are those of the revision too."""
    site = folder / "sites/pisa"
    site.mkdir(parents=True)
    (folder / "site.yaml").rename(site / "site.yaml")
    assert threerc("build", "site.yaml", "--no-verify", cwd=site).returncode == 0
    subprocess.run([*GIT, "init", "-q"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("out\n.out.generations\n")
    subprocess.run([*GIT, "add", "-A"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "-qm", "before"], cwd=folder, check=True)
    assert plan(site / "site.yaml", "HEAD", TODAY).empty
    edit(site, "size: 20GiB", "size: 21GiB")
    (change,) = plan(site / "site.yaml", "HEAD", TODAY).comparison.changes
    assert change.subject == "volume data"


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ("nothing", "nothing is neither a tree, a file nor a git revision here"),
        ("--output=x", "`--output=x` is neither a tree, a file nor a git revision"),
        ("", "`` is neither a tree, a file nor a git revision"),
        (".", "is no tree of 3rc build: No such file or directory"),
    ],
)
def test_there_is_nothing_to_compare_with(folder: Path, against: str, message: str) -> None:
    subprocess.run([*GIT, "init", "-q"], cwd=folder, check=True)
    path = str(folder) if against == "." else against
    with pytest.raises(PlanError, match=message):
        plan(folder / "site.yaml", path, TODAY)


def git(folder: Path, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=folder, check=True)


def commit(folder: Path, subject: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)


def test_a_revision_that_a_clone_does_not_have(folder: Path) -> None:
    """As where a workflow fetches the last commit only."""
    git(folder, "init", "-q")
    commit(folder, "before")
    edit(folder, "192.168.1.11", "192.168.1.19")
    commit(folder, "after")
    clone = folder / "clone"
    git(folder, "clone", "-q", "--depth", "1", f"file://{folder}", str(clone))
    for revision in ("HEAD~1", "origin/main"):
        said = f"{revision} is neither a tree, a file nor a git revision here; the clone is shallow"
        with pytest.raises(PlanError, match=said):
            plan(clone / "site.yaml", revision, TODAY)
    git(clone, "fetch", "-q", "--unshallow")
    (change,) = plan(clone / "site.yaml", "HEAD~1", TODAY).comparison.changes
    assert change.subject == "vm1"


def test_a_site_that_no_repository_has(folder: Path) -> None:
    with pytest.raises(
        PlanError, match=r"neither a tree nor a file, and .* is in no git repository"
    ):
        plan(folder / "site.yaml", "HEAD", TODAY)
    git(folder, "init", "-q")
    commit(folder, "first")
    inner = folder / "a [new] place"
    inner.mkdir()
    (folder / "site.yaml").rename(inner / "site.yaml")
    with pytest.raises(PlanError, match=r"^HEAD has no a \[new\] place/site.yaml$"):
        plan(inner / "site.yaml", "HEAD", TODAY)
    commit(folder, "second")
    assert plan(inner / "site.yaml", "HEAD", TODAY).empty


def test_an_inventory_that_sites_share(folder: Path) -> None:
    site = folder / "pisa"
    site.mkdir()
    shared = "inventories: [{file: ../more.csv, section: worker_nodes}]\n"
    (site / "site.yaml").write_text(SITE + shared)
    (folder / "more.csv").write_text("name,ip,mac\nx,192.168.1.31,02:00:00:00:04:01\n")
    git(folder, "init", "-q")
    commit(folder, "before")
    (folder / "more.csv").write_text("name,ip,mac\nx,192.168.1.32,02:00:00:00:04:01\n")
    (change,) = plan(site / "site.yaml", "HEAD", TODAY).comparison.changes
    assert change.what == "address 192.168.1.31 -> 192.168.1.32"


def test_findings_of_a_revision_are_at_places_as_git_calls_them(folder: Path) -> None:
    git(folder, "init", "-q")
    edit(folder, "home: ph1", "home: nowhere")
    commit(folder, "bad")
    edit(folder, "home: nowhere", "home: ph1")
    done = threerc("plan", "site.yaml", "--against", "HEAD", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("HEAD:site.yaml:12:")


def test_a_pool_is_shown_as_it_is_written(folder: Path) -> None:
    edit(folder, "boot: true", "boot: true, pool: 192.168.1.210-192.168.1.220")
    (folder / "old.yaml").write_text(SITE)
    (change,) = plan(folder / "site.yaml", str(folder / "old.yaml"), TODAY).comparison.changes
    assert change.what == "pool none -> 192.168.1.210-192.168.1.220"


def test_a_site_that_is_not_there_is_told_before_all_else(folder: Path) -> None:
    done = threerc("plan", "nowhere.yaml", cwd=folder)
    assert done.stderr == "nowhere.yaml:1:1: cannot read: No such file or directory [read]\n"


def test_a_tree_of_another_version_is_compared_as_far_as_it_is_known(folder: Path) -> None:
    assert threerc("build", "site.yaml", "--no-verify", cwd=folder).returncode == 0
    snapshot = folder / "out/site.json"
    more = '{\n"host/x": {"kind":"mainframes"},\n"setting/x": 1,\n"farm/x": {"a":1},'
    snapshot.write_text(snapshot.read_text().replace("{", more, 1))
    found = plan(folder / "site.yaml", None, TODAY).comparison.changes
    told = {each.subject: each.what for each in found}
    assert told == {"x": "host is gone", "setting x": "1 -> none", "farm x": "gone"}


def test_a_tree_with_a_damaged_manifest_is_refused(folder: Path) -> None:
    """Whatever is left of it, or if it is the same JSON in another form."""
    assert threerc("build", "site.yaml", "--no-verify", cwd=folder).returncode == 0
    file = folder / "out/manifest.json"
    good = file.read_text()
    reformatted = json.dumps(json.loads(good), indent=4) + "\n"
    half = good[: len(good) // 2]
    for text in ("", "{}", "[]", "{\n}\n", half, reformatted, f"{half}\n}}\n", good + "\n"):
        file.write_text(text)
        with pytest.raises(PlanError, match=r"manifest.json is damaged: no manifest as 3rc build"):
            plan(folder / "site.yaml", None, TODAY)
    file.write_bytes(b"\xff")
    with pytest.raises(PlanError, match=r"manifest.json is damaged: 'utf-8' codec"):
        plan(folder / "site.yaml", None, TODAY)
    for line in (r'"b\x": "}', '"b": {"x": "y"}'):
        file.write_text(good.replace("{\n", f"{{\n{line},\n", 1))
        with pytest.raises(PlanError, match=f"no line of a manifest: {re.escape(line)}"):
            plan(folder / "site.yaml", None, TODAY)
    done = threerc("plan", "site.yaml", cwd=folder)
    assert done.stderr == '3rc: no line of a manifest: "b": {"x": "y"}\n'


def test_the_share_is_of_the_hosts_of_both_sites(folder: Path) -> None:
    """All that are renamed are new and gone at once."""
    edit(
        folder,
        "wn[1-3]: {address: 192.168.1.21-192.168.1.23",
        "wn[01-60]: {address: 192.168.1.101-192.168.1.160",
    )
    edit(folder, "02:00:00:00:03:03", "02:00:00:00:03:3c")
    (folder / "old.yaml").write_text((folder / "site.yaml").read_text())
    edit(folder, "wn[01-60]", "node[01-60]")
    found = plan(folder / "site.yaml", str(folder / "old.yaml"), TODAY)
    assert found.comparison.total == 126
    assert "120 changes, 120 of 126 hosts (95%)" in show.head(found)


@pytest.mark.parametrize(
    ("changed", "total", "words"),
    [
        (1, 4006, "1 of 4,006 hosts (<1%)"),
        (4005, 4006, "4,005 of 4,006 hosts (>99%)"),
        (4006, 4006, "4,006 of 4,006 hosts (100%)"),
        (0, 4006, "0 of 4,006 hosts (0%)"),
    ],
)
def test_no_share_is_rounded_away(changed: int, total: int, words: str) -> None:
    changes = tuple(
        Change(f"wn{n}", "x", Risk.HARMLESS, (), "", (f"wn{n}",)) for n in range(changed)
    )
    setting = Change("setting dns", "x", Risk.HARMLESS)
    found = Plan("s", "o", Comparison((*changes, setting), total), FileChanges((), (), ()))
    assert words in show.head(found)


def test_nothing_was_built_yet(folder: Path) -> None:
    done = threerc("plan", "site.yaml", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == (
        "3rc: no `out` beside site.yaml: run `3rc build` first, or name something with --against\n"
    )


def test_a_site_with_findings_has_no_plan(folder: Path) -> None:
    (folder / "old.yaml").write_text(SITE)
    edit(folder, "home: ph1", "home: nowhere")
    with pytest.raises(Rejected):
        plan(folder / "site.yaml", str(folder / "old.yaml"), TODAY)
    assert threerc("plan", "site.yaml", "--against", "old.yaml", cwd=folder).returncode == 1


def test_the_formats(folder: Path) -> None:
    (folder / "old.yaml").write_text(SITE)
    edit(folder, "os: deb", "os: deb, inst: 1")
    told = {
        form: threerc(
            "plan", "site.yaml", "--against", "old.yaml", "--format", form, "--diff", cwd=folder
        ).stdout
        for form in ("text", "markdown", "json", "html")
    }
    data = json.loads(told["json"])
    assert data["risk"] == "loses-data"
    assert data["needs_allow"] == ["vm1"]
    assert data["changes"][0]["hosts"] == ["vm1"]
    assert "🔴 may lose data (1)" in told["markdown"]
    assert told["html"].startswith("<!DOCTYPE html>")
    assert all("INST 0 -" in each for each in told.values())


def big_plan(count: int, what: str = "address 10.0.0.1 -> 10.0.0.2") -> Plan:
    changes = tuple(
        Change(f"wn{n:05}", f"{what}{n}", Risk.RESTARTS, ("A",), "", (f"wn{n:05}",))
        for n in range(count)
    )
    files = FileChanges((), (), tuple(f"s/etc/f{n}" for n in range(count)))
    diff = tuple(f"+{n} ``` <b>" for n in range(count))
    return Plan("site.yaml", "out", Comparison(changes, count), files, diff)


def test_markdown_fits_a_comment_and_closes_what_it_opened() -> None:
    text = show.markdown(big_plan(30_000))
    assert len(text) < 65_536
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    assert "more lines: `3rc plan`" in text


def test_equal_changes_of_many_hosts_are_one_line() -> None:
    changes = tuple(
        Change(f"wn{n:02}", "os a -> b", Risk.HARMLESS, ("HINFO",), "", (f"wn{n:02}",))
        for n in range(1, 41)
    )
    found = Plan("s", "o", Comparison(changes, 40), FileChanges((), (), ()))
    assert "  wn[01-40]: os a -> b: HINFO" in show.text(found).splitlines()
    assert "to be forced: it changes more than 30% of the hosts" in show.text(found)


def test_no_value_is_markup() -> None:
    change = Change("a_b*", "x <img> `y` [z](w) | v", Risk.HARMLESS, (), "", ("a_b*",))
    found = Plan("s", "o", Comparison((change,), 1), FileChanges((), (), ()))
    assert "a\\_b\\*: x \\<img> \\`y\\` \\[z\\](w) \\| v" in show.markdown(found)
    assert "x &lt;img&gt;" in show.html(found)


ENTRIES = st.dictionaries(
    st.sampled_from(["a/etc/x", "a/etc/y", "b/srv/\u00e9", 'b/"q"', "c/z"]),
    st.binary(max_size=2).map(lambda content: Entry("test", ("*",), content)),
)


@given(ENTRIES, ENTRIES)
def test_manifests_are_compared_as_their_trees_are(
    old: Mapping[str, Entry], new: Mapping[str, Entry]
) -> None:
    assert json.loads(manifest(new)).keys() == new.keys()
    assert lines(manifest(new)) == list(manifest_lines(dict(sorted(new.items()))))
    found = compare(lines(manifest(old)), list(manifest_lines(new)))
    both = old.keys() & new.keys()
    assert list(found.new) == sorted(new.keys() - old.keys())
    assert list(found.gone) == sorted(old.keys() - new.keys())
    changed = sorted(path for path in both if old[path] != new[path])
    assert list(found.changed) == changed
