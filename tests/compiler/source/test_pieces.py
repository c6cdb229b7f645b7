"""A large file is read piece by piece, and what it says is what it says as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threerc.compiler import cache
from threerc.compiler.findings import Rejected
from threerc.compiler.source import alike, document, load, pieces
from threerc.compiler.starter import starter

HEAD = "site: test\ndomain: example.org\nnetworks: {lan: {prefix: 10.0.0.0/24}}\n"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache of its own; every file is large, and every piece small."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pieces, "SMALLEST", 0)
    monkeypatch.setattr(pieces, "_ENTRIES", 2)
    return tmp_path / "cache/3rc"


def said(path: Path) -> Any:
    """What becomes of a file: its hosts and findings."""
    try:
        loaded = load.load(path)
    except Rejected as rejected:
        return rejected.findings
    return loaded.site and loaded.site.model_dump(), loaded.findings


def node(number: int) -> str:
    """An entry in block style."""
    return f'  wn{number}:\n    address: 10.0.0.{number}\n    mac: "02:00:00:00:00:{number:02x}"\n'


ODD = (
    "# a comment\n",
    "\n",
    "  # one that is indented\n",
    "    os: old\n",
    "    description: 'a quote\n  wn9: that goes on'\n",
    '    description: "and one\nworker_nodes:\n  wn9: x"\n',
    "    description: |\n      a block\n\n      of lines\n",
    "    description: >-\n      folded\n  wn8:\n    address: 10.0.0.8\n",
    "    description: plain text\n      that goes on\n",
    "  wn7: {address: 10.0.0.7,\n  mac: x}\n",
    "  wn7: &anchor {address: 10.0.0.7}\n",
    "  wn6: *anchor\n",
    "  *anchor : {}\n",
    "  ? wn5\n  : {address: 10.0.0.5}\n",
    "  wn1: {address: 10.0.0.1}\n",
    " wn4: {}\n",
    "\twn4: {}\n",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "worker_nodes:\n",
    "worker_nodes: {}\n",
    "service_hosts:\n",
    "description: 'top\nworker_nodes:\n  wn3: in a quote\n  '\n",
    "  - wn2\n",
    "  wn2: [\n",
    "  wn2: yes\n",
    "  'wn2': {address: 010}\n",
    "    groups: [a, b]\n",
    "  wn[30-35]: {address: 10.0.0.30-10.0.0.35}\n",
    "\x07",
)
lines = st.lists(st.one_of(st.integers(1, 20).map(node), st.sampled_from(ODD)), max_size=12)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(ODD), max_size=2).map("".join), lines.map("".join))
def test_a_file_says_the_same_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, text: str
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{HEAD}{before}worker_nodes:\n{text}", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "recall", lambda *_: None)
        patch.setattr(load, "_together", lambda *_: None)
        whole = said(path)
    monkeypatch.setattr(alike, "_FEWEST", 2)
    assert said(path) == whole  # read, and kept
    assert said(path) == whole  # recalled


def test_a_section_in_a_quote_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.yaml"
    mac = "02:00:00:00:00:a"
    nodes = "".join(f"  n{n}: {{address: 10.0.0.{n}, mac: {mac}{n}}}\n" for n in (1, 2))
    path.write_text(f"{HEAD}description: 'a text\nworker_nodes:\n{nodes}and its end'\n")
    monkeypatch.setattr(alike, "_FEWEST", 2)
    loaded = load.load(path)
    assert loaded.findings == []
    assert loaded.site is not None
    assert "n2: {address: 10.0.0.2" in loaded.site.description
    assert len(loaded.site.worker_nodes) == 0


def test_one_changed_host_is_one_piece_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_ENTRIES", 64)
    path = tmp_path / "site.yaml"
    path.write_text(starter(2000, expanded=True))
    whole = said(path)
    read: list[str] = []
    parse = document.parse

    def parsed(text: str, file: str) -> document.Mapping:
        read.append(text)
        return parse(text, file)

    monkeypatch.setattr(document, "parse", parsed)
    assert said(path) == whole
    assert len(read) == 1  # all but the nodes
    read.clear()
    text = path.read_text()
    path.write_text(text.replace("  wn0100:\n", "  extra:\n    address: 10.1.9.9\n  wn0100:\n"))
    assert "extra" in said(path)[0]["worker_nodes"]
    assert len(read) == 2
    assert len(read[1]) < len(text) / 4


@pytest.mark.parametrize("damage", [b"", b"[1]", b"{", b'{"a": 1}', b"\xff"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, kept: Path, damage: bytes) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + "worker_nodes:\n" + "".join(map(node, range(1, 60))))
    whole = said(path)
    files = list(kept.iterdir())
    assert [file.suffix for file in files] == [".json"]
    good = files[0].read_bytes()
    files[0].write_bytes(damage)
    assert said(path) == whole
    assert cache.load(files[0].name).items() >= {}.items()
    files[0].unlink()
    assert said(path) == whole
    assert files[0].read_bytes() == good


@given(lines.map("".join), st.sampled_from(["", "service_hosts: {}\n", "# the end"]))
def test_all_of_a_file_is_in_its_pieces(text: str, after: str) -> None:
    whole = f"{HEAD}worker_nodes:\n{text}{after}"
    parts = pieces.cut(whole)
    if parts is not None:
        assert parts.rest.count("\n") == whole.count("\n")
        assert whole.startswith(f"{HEAD}worker_nodes:{''.join(parts.pieces)}")
        assert all(each.endswith("\n") for each in parts.pieces[:-1])
