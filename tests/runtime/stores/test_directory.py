"""What the state directory looks like, and what becomes of a broken one."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.stores.support import ended, forked, value_of, version_of
from threerc.runtime.errors import Conflict, StoreLost, Unwritable
from threerc.runtime.records import Record
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.world import Store, Versioned

HERE = "alfa01 2008-12-14/04:31:01 1"
CALLS: dict[str, Callable[[Store], Any]] = {
    "get": lambda store: store.get("vm/gridce"),
    "list": lambda store: store.list("vm/"),
    "put": lambda store: store.put("vm/gridce", {}, version_of(store, "vm/gridce")),
    "first": lambda store: store.put("vm/first", {}, 0),
    "delete": lambda store: store.delete("vm/gridce", version_of(store, "vm/gridce")),
    "publish": lambda store: store.publish("gridce", HERE),
    "published": lambda store: store.published("gridce"),
    "log": lambda store: store.log(["x"], [{"n": 1}]),
    "events": lambda store: store.events(),
}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def value_files(folder: Path, key: str) -> list[Path]:
    return sorted((folder / "state" / key).glob("*.json"))


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A state directory of the user nobody, where that user gets to."""
    with TemporaryDirectory() as around:
        os.chown(around, 65534, 65534)
        yield DirectoryStore.create(Path(around) / "ha").folder


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


class TestTheFiles:
    def test_the_thesis_reads_and_writes_the_published_line(self, folder: Path) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"host": "alfa01"}, 0)
        store.publish("gridce", HERE)
        assert (folder / "vm/gridce").read_bytes() == f"{HERE}\n".encode()
        assert names(folder / "vm") == {"gridce"}
        (folder / "vm/pbs01").write_text("alfa02 2008-12-14/04:35:01 2\n")
        assert store.published("pbs01") == "alfa02 2008-12-14/04:35:01 2"

    @pytest.mark.parametrize(
        ("left", "line"),
        [(b"", None), (b"alfa01 200", "alfa01 200"), (b"\xff\n", "\N{REPLACEMENT CHARACTER}")],
    )
    def test_a_line_half_written_by_a_shell_is_no_error(
        self, folder: Path, left: bytes, line: str | None
    ) -> None:
        (folder / "vm/gridce").write_bytes(left)
        assert DirectoryStore(folder).published("gridce") == line

    @pytest.mark.parametrize("mask", [0, 0o022, 0o777])
    def test_modes_are_the_same_whatever_the_umask(self, tmp_path: Path, mask: int) -> None:
        folder = tmp_path / "deep/ha"
        folder.parent.mkdir()
        with umask(mask):
            store = DirectoryStore.create(folder)
            store.delete("vm/gridce", store.put("vm/gridce", {}, 0))
            store.put("brake", {}, 0)
            store.publish("gridce", HERE)
            store.log(["x"], [{"n": 1}])
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
        assert len(modes) > 10
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o640}

    @requires_real()
    def test_the_group_is_handed_down(self, tmp_path: Path) -> None:
        folder = tmp_path / "ha"
        folder.mkdir()
        os.chown(folder, -1, 12345)
        folder.chmod(0o2750)
        store = DirectoryStore.create(folder)
        store.put("vm/gridce", {}, 0)
        store.publish("gridce", HERE)
        store.log(["x"], [])
        for path in folder.rglob("*"):
            assert path.stat().st_gid == 12345
        assert stat.S_IMODE((folder / "state/vm/gridce").stat().st_mode) == 0o2750

    def test_old_values_do_not_pile_up(self, folder: Path) -> None:
        store = DirectoryStore(folder)
        version = 0
        for number in range(20):
            version = store.put("vm/gridce", {"n": number}, version)
        assert len(names(folder / "state/vm/gridce")) == 3  # two values and the token
        store.delete("vm/gridce", version)
        store.put("vm/gridce", {}, 0)
        assert len(value_files(folder, "vm/gridce")) == 1

    def test_creating_it_again_changes_nothing(self, folder: Path) -> None:
        DirectoryStore(folder).put("vm/gridce", {"n": 1}, 0)
        before = files(folder)
        assert value_of(DirectoryStore.create(folder), "vm/gridce") == {"n": 1}
        assert files(folder) == before

    def test_it_may_be_made_around_what_the_thesis_left(self, tmp_path: Path) -> None:
        (tmp_path / "vm").mkdir()
        (tmp_path / "vm/gridce").write_text(HERE)
        assert DirectoryStore.create(tmp_path).published("gridce") == HERE

    def test_what_killed_controllers_left_is_removed_when_it_is_old(self, folder: Path) -> None:
        new = folder / "state/.new"
        for name in ("old", "young"):
            (new / f"{name}-folder").mkdir()
            (new / f"{name}-folder/0.0123456789abcdef.gone").touch()
            (new / name).touch()
        for path in (new / "old", new / "old-folder"):
            os.utime(path, (0, 0))
        DirectoryStore(folder).publish("gridce", HERE)
        assert names(new) == {"young", "young-folder"}

    def test_people_s_own_files_are_left_alone(self, folder: Path) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        for path in ("vm/gridce~", "vm/.gridce.swp", "vm/gridce/note", "vm/gridce/.nfs0001"):
            (folder / "state" / path).write_text("mine")
        store.put("vm/gridce", {"n": 2}, 1)
        assert list(store.list("vm/")) == ["vm/gridce"]
        assert (folder / "state/vm/gridce/note").exists()


class TestNoState:
    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize("left", ["nothing", "mount point", "only the published lines"])
    def test_it_is_told_and_never_filled(self, tmp_path: Path, name: str, left: str) -> None:
        folder = tmp_path / "ha"
        if left != "nothing":
            folder.mkdir()
        if left == "only the published lines":
            (folder / "vm").mkdir()
        before = files(tmp_path)
        with pytest.raises(StoreLost, match="is it mounted") as lost:
            CALLS[name](DirectoryStore(folder))
        assert "\n" not in str(lost.value)
        assert str(lost.value).count(str(folder)) == 1
        assert "On a new site, once it is: `3rc controller --create-state`" in str(lost.value)
        assert files(tmp_path) == before

    @pytest.mark.parametrize("name", CALLS)
    def test_it_may_vanish_and_come_back(self, folder: Path, name: str) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        away = folder.rename(folder.with_name("away"))
        with pytest.raises(StoreLost):
            CALLS[name](store)
        away.rename(folder)
        assert value_of(store, "vm/gridce") == {"n": 1}
        CALLS[name](store)

    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EROFS, errno.EDQUOT])
    def test_errors_of_the_file_system_are_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
    ) -> None:
        """They cannot be had here on demand: stood in for by calls that fail."""
        store = DirectoryStore(folder)
        store.put("vm/gridce", {}, 0)
        store.log(["x"], [{"n": 1}])

        def fail(*_arguments: Any, **_named: Any) -> Any:
            raise OSError(number, os.strerror(number))

        for call in ("listdir", "stat", "open", "scandir"):
            monkeypatch.setattr(os, call, fail)
        with pytest.raises(StoreLost, match=re.escape(os.strerror(number))) as lost:
            CALLS[name](store)
        assert "\n" not in str(lost.value)

    @requires_real()
    @pytest.mark.parametrize("name", CALLS)
    def test_a_directory_of_others_is_told(self, folder: Path, name: str) -> None:
        DirectoryStore(folder).put("vm/gridce", {}, 0)

        def work() -> int:
            os.setgid(65534)
            os.setuid(65534)
            try:
                CALLS[name](DirectoryStore(folder))
            except StoreLost as lost:
                return 0 if "Permission denied" in str(lost) else 4
            return 5

        assert ended(forked(work)) == 0


class TestBroken:
    @pytest.mark.parametrize("content", [b"", b'{"n": 1', b"[1]", b"null", b"\0\0", b"\xff"])
    def test_a_value_that_is_none_is_named(self, folder: Path, content: bytes) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        (path,) = value_files(folder, "vm/gridce")
        path.write_bytes(content)
        store.put("vm/other", {"n": 2}, 0)
        found, listed = store.get("vm/gridce"), store.list("vm/")
        assert found is not None
        assert found.damage == f"{path} is no JSON object"
        assert found.value == {"text": content.decode("utf-8", "replace")}
        assert listed == {"vm/gridce": found, "vm/other": Versioned(1, {"n": 2})}
        with pytest.raises(ValueError, match=re.escape(str(path))):
            found.read(Record)
        assert store.put("vm/gridce", {"n": 3}, found.version) == 2
        assert value_of(store, "vm/gridce") == {"n": 3}

    def test_a_missing_value_is_named(self, folder: Path) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        (path,) = value_files(folder, "vm/gridce")
        path.unlink()
        assert store.get("vm/gridce") == Versioned(1, {}, f"{path}: No such file or directory")

    @requires_real()
    @pytest.mark.parametrize("part", ["value", "folder"])
    def test_one_value_of_others_is_named(self, nobodys: Path, part: str) -> None:
        """Somebody has copied it back by hand, as root."""
        for key in ("vm/gridce", "vm/other"):
            DirectoryStore(nobodys).put(key, {"n": 1}, 0)
        (path,) = value_files(nobodys, "vm/gridce")
        os.chown(path if part == "value" else path.parent, 0, 0)

        def work() -> int:
            os.setgid(65534)
            os.setuid(65534)
            listed = DirectoryStore(nobodys).list("vm/")
            (told,) = (each.damage for each in listed.values() if each.damage)
            return 0 if "gridce" in told and told.count("Permission denied") == 1 else 4

        assert ended(forked(work)) == 0

    @requires_real()
    def test_an_operator_who_is_root_locks_nobody_out(self, nobodys: Path) -> None:
        """`3rc pause` by root made a folder that stopped the recovery of the whole site."""
        root = DirectoryStore(nobodys)
        root.put("paused/gridce", {"why": ""}, 0)
        root.log(["x"], [{"n": 1}])
        root.publish("gridce", HERE)
        made = [nobodys, *nobodys.rglob("*")]
        assert {(each.stat().st_uid, each.stat().st_gid) for each in made} == {(65534, 65534)}

    def test_a_key_without_a_token_is_named(self, folder: Path) -> None:
        (folder / "state/vm/gridce").mkdir(parents=True)
        store = DirectoryStore(folder)
        found = store.get("vm/gridce")
        assert found is not None
        assert "state/vm/gridce holds no file" in found.damage
        assert store.list("vm/") == {"vm/gridce": found}
        with pytest.raises(Unwritable, match="state/vm/gridce"):
            CALLS["put"](store)

    def test_a_file_where_a_key_belongs_hinders_no_other(self, folder: Path) -> None:
        store = DirectoryStore(folder)
        store.put("vm/other", {"n": 1}, 0)
        (folder / "state/vm/gridce").touch()
        assert "Not a directory" in store.list("vm/")["vm/gridce"].damage
        assert store.put("vm/other", {"n": 2}, 1) == 2
        with pytest.raises(Unwritable, match="state/vm/gridce"):
            store.put("vm/gridce", {}, 0)

    @requires_real()
    def test_one_that_only_root_may_write_hinders_no_other(self, nobodys: Path) -> None:
        """Somebody has copied it back by hand, as root, for all to read."""
        for key in ("vm/gridce", "vm/other"):
            DirectoryStore(nobodys).put(key, {"n": 1}, 0)
        copied = nobodys / "state/vm/gridce"
        for path in (copied, *copied.iterdir()):
            os.chown(path, 0, 0)
            path.chmod(0o755)

        def work() -> int:
            os.setgid(65534)
            os.setuid(65534)
            store = DirectoryStore(nobodys)
            assert store.list("vm/")["vm/gridce"] == Versioned(1, {"n": 1})
            assert store.put("vm/other", {"n": 2}, 1) == 2
            with pytest.raises(Unwritable, match="vm/gridce: Permission denied"):
                store.put("vm/gridce", {}, 1)
            with pytest.raises(Unwritable, match="vm/gridce: Permission denied"):
                store.delete("vm/gridce", 1)
            return 0

        assert ended(forked(work)) == 0

    def test_a_line_that_cannot_be_read_is_none(self, folder: Path) -> None:
        (folder / "vm/gridce").mkdir()
        assert DirectoryStore(folder).published("gridce") is None


class TestBetweenTheLines:
    """What happens between two operations of another controller, brought about by hand."""

    def test_a_reader_whose_value_is_swept_away_reads_the_newer_one(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = DirectoryStore(folder), DirectoryStore(folder)
        writer.put("vm/gridce", {"n": 1}, 0)
        listdir = os.listdir

        def list_then_write(path: str) -> list[str]:
            names = listdir(path)
            monkeypatch.setattr(os, "listdir", listdir)
            for version in (1, 2, 3):
                writer.put("vm/gridce", {"n": version + 1}, version)
            return names

        monkeypatch.setattr(os, "listdir", list_then_write)
        assert reader.get("vm/gridce") == Versioned(4, {"n": 4})

    @pytest.mark.parametrize("name", ["put", "delete"])
    def test_a_server_that_did_it_and_lost_its_answer(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        rename = os.rename

        def rename_twice(source: str, target: str) -> None:
            rename(source, target)
            rename(source, target)

        monkeypatch.setattr(os, "rename", rename_twice)
        CALLS[name](store)
        assert value_of(store, "vm/gridce") == ({} if name == "put" else None)

    def test_a_folder_that_nfs_does_not_see_yet_is_another_s(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late, other = DirectoryStore(folder), DirectoryStore(folder)
        mkdir = os.mkdir

        def mkdir_late(path: str, mode: int) -> None:
            monkeypatch.setattr(os, "mkdir", mkdir)
            other.put("vm/gridce", {"by": "other"}, 0)
            mkdir(path, mode)

        monkeypatch.setattr(os, "mkdir", mkdir_late)
        with pytest.raises(Conflict):
            late.put("vm/gridce", {"by": "late"}, 0)
        assert value_of(late, "vm/gridce") == {"by": "other"}
        assert names(folder / "state/.new") == set()

    def test_a_folder_that_was_not_there_at_first_is_found_by_the_second_look(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DirectoryStore(folder)
        store.put("vm/gridce", {"n": 1}, 0)
        listdir = os.listdir

        def not_there(path: str) -> list[str]:
            monkeypatch.setattr(os, "listdir", listdir)
            raise FileNotFoundError(errno.ENOENT, "cached", path)

        monkeypatch.setattr(os, "listdir", not_there)
        assert value_of(store, "vm/gridce") == {"n": 1}
