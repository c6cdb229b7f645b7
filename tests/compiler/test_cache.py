"""The cache: believed where it is ours, never needed, and nobody's trouble when it is damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from threerc.compiler import cache

RENDER = "from threerc.compiler.templating import render; print(render('grub_disk', number=1))"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache of its own, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "deep/cache"))
    return tmp_path / "deep/cache/3rc"


def test_what_is_kept_is_read_again(folder: Path) -> None:
    assert cache.read("some") == b""
    assert cache.load("some") == {}
    cache.save("some", {"a": [1, "é"]})
    assert cache.load("some") == {"a": [1, "é"]}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in folder.iterdir()] == ["some"]


def test_a_folder_that_others_may_write_is_not_believed(folder: Path) -> None:
    cache.save("some", {"a": 1})
    folder.chmod(0o777)
    assert cache.load("some") == {}
    cache.save("some", {"a": 2})
    folder.chmod(0o700)
    assert cache.load("some") == {"a": 1}


def test_what_is_damaged_is_nothing(folder: Path) -> None:
    cache.save("some", {"a": 1})
    good = (folder / "some").read_bytes()
    for bad in (b"", good[:-1], good + b" ", b"x" + good[1:], good[:20] + b"9" + good[21:]):
        (folder / "some").write_bytes(bad)
        assert cache.load("some") == {}
        assert cache.read("some") == b""


def test_a_link_is_not_followed(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(other)
    cache.save("some", {"a": 1})
    assert cache.load("some") == {}
    assert list(other.iterdir()) == []


def test_nothing_is_kept_in_the_home_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with sudo, where HOME may stay the user's; here another one's is not a home's own."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    cache.save("some", {"a": 1})
    assert cache.load("some") == {"a": 1}
    tmp_path.chmod(0o777)
    assert cache.load("some") == {}
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert cache.load("some") == {}


def test_nothing_is_kept_where_nothing_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for base in (str(tmp_path / "file"), "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        cache.save("some", {"a": 1})
        assert cache.load("some") == {}
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    cache.save("some", {"a": 1})
    assert cache.load("some") == {}


@pytest.mark.parametrize("damage", [b"", b"\n", b"junk", b"cos\nsystem\n"])
def test_a_damaged_template_is_made_anew(folder: Path, damage: bytes) -> None:
    def rendered() -> bytes:
        command = [sys.executable, "-c", RENDER]
        return subprocess.run(command, capture_output=True, check=True).stdout

    text = rendered()
    kept = list(folder.glob("*.template"))
    assert kept
    good = kept[0].read_bytes()
    for content in (damage, good[:40] + damage, good[:-9]):
        kept[0].write_bytes(content)
        assert rendered() == text
        assert kept[0].read_bytes() == good
