"""Trees on the disk: all or nothing, ours or nobody's."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threerc.compiler.generation import Generations, OutputError, manifest, manifest_lines
from threerc.compiler.tree import Entry


def entries(text: str, links: int = 3) -> dict[str, Entry]:
    found = {"a/etc/f": Entry("x", ("*",), text.encode()), "a/etc/s": Entry("x", (), b"s", 0o640)}
    for number in range(links):
        found[f"a/l/{number}"] = Entry("x", ("a",), target=text)
    return found


def write(out: Path, tree: dict[str, Entry]) -> None:
    generations = Generations(out)
    with generations.staged(tree) as stage:
        generations.switch(stage)


def test_the_tree_is_what_was_put_in(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, entries("one"))
    assert (out / "a/etc/f").read_text() == "one"
    assert (out / "a/etc/s").stat().st_mode & 0o777 == 0o640
    assert [os.readlink(out / f"a/l/{n}") for n in range(3)] == ["one"] * 3
    about = json.loads((out / "manifest.json").read_text())
    assert about["a/l/0"] == {"artefact": "x", "hosts": ["a"], "link": "one"}
    assert about["a/etc/s"]["mode"] == "0640"


def test_the_old_generation_is_gone_after_the_switch(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, entries("one"))
    write(out, entries("two"))
    assert (out / "a/etc/f").read_text() == "two"
    assert len(list((tmp_path / ".out.generations").glob("g-*"))) == 1


def test_without_a_switch_the_old_tree_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, entries("one"))
    with Generations(out).staged(entries("two")):
        pass
    assert (out / "a/etc/f").read_text() == "one"


def test_without_any_tree_nothing_is_left_behind(tmp_path: Path) -> None:
    with Generations(tmp_path / "out").staged(entries("one")):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_ours_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("precious")
    elif kind == "folder":
        out.mkdir()
        (out / "precious").write_text("precious")
    else:
        out.symlink_to("elsewhere")
    with pytest.raises(OutputError, match="did not make"):
        write(out, entries("one"))
    assert out.is_symlink() or out.exists()


def test_an_empty_folder_may_be_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", entries("one"))
    assert (tmp_path / "out/a/etc/f").read_text() == "one"


def test_two_at_once_exclude_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        Generations(out).staged(entries("one")),
        pytest.raises(OutputError, match="another 3rc"),
        Generations(out).staged(entries("two")),
    ):
        pass


def test_more_links_than_a_file_system_gives_an_inode_names(tmp_path: Path) -> None:
    write(tmp_path / "out", entries("t", links=66_000))
    assert os.readlink(tmp_path / "out/a/l/65999") == "t"


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}/[a-z]{1,8}", fullmatch=True), st.binary()))
def test_a_manifest_does_not_depend_on_the_order_of_things(contents: dict[str, bytes]) -> None:
    tree = {path: Entry("x", ("*",), content) for path, content in contents.items()}
    backwards = dict(reversed(tree.items()))
    assert manifest(tree) == manifest(backwards)
    assert list(json.loads(manifest(tree))) == sorted(tree)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(TEXT, st.lists(TEXT, max_size=3), st.one_of(st.none(), TEXT), TEXT)
def test_a_line_of_the_manifest_is_the_json_it_would_be(
    path: str, concerns: list[str], target: str | None, group: str
) -> None:
    entry = Entry("test", tuple(concerns), b"some", 0o640, target, group)
    about: dict[str, object] = {"artefact": "test", "hosts": concerns}
    if target is not None:
        about["link"] = target
    else:
        about["mode"] = "0640"
        if group != "root":
            about["group"] = group
        about["sha256"] = hashlib.sha256(b"some").hexdigest()
    line = json.dumps({path: about}, ensure_ascii=False)
    assert "".join(manifest_lines({path: entry})) == line[1:-1]
