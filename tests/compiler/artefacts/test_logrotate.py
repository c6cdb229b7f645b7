"""logrotate: what the files say, that the real one takes them, and what it makes of real logs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.logrotate import compile_logrotate
from threerc.compiler.model import Site
from threerc.compiler.verify.base import find_program
from threerc.compiler.verify.logrotate import CHECKER
from threerc.runtime.stores.logs import Log

FILE = "bibe/etc/logrotate.d/3rc"
TWO = """
service_hosts:
  a: {address: 192.168.1.1, roles: [controller]}
  b: {address: 192.168.1.2, roles: [controller]}
"""


def test_one_controller_rotates_what_both_write(sns_pisa: Site) -> None:
    tree = compiled(compile_logrotate, sns_pisa)
    assert list(tree.entries) == [FILE]
    assert "\n/var/spool/ha/log /var/spool/ha/log.json {\n" in text_of(tree, FILE)


def test_with_etcd_each_rotates_its_own(tmp_path: Path) -> None:
    text = HEAD + TWO + "recovery: {etcd: {endpoints: ['http://etcd1:2379']}}\n"
    entries = compiled(compile_logrotate, good_site(tmp_path, text)).entries
    assert list(entries) == ["a/etc/logrotate.d/3rc", "b/etc/logrotate.d/3rc"]


def test_without_controllers_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    text = HEAD + "service_hosts:\n  s: {address: 192.168.1.2, mac: 02:00:00:00:00:01}\n"
    assert compiled(compile_logrotate, good_site(tmp_path, text)).entries == {}


def test_the_checker_takes_it_whoever_may_write_it(sns_pisa: Site, tmp_path: Path) -> None:
    tree = compiled(compile_logrotate, sns_pisa)
    assert list(staged(tmp_path, tree, CHECKER)) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (b"weekly", b"weakly", 3, "unknown option 'weakly'"),
        (b"rotate 52", b"rotate x", 5, "bad rotation count"),
        (b" {\n", b"\n", 2, "unexpected }"),
        (b"/var/spool/ha/log /var/spool/ha/log.json {", b"# {", 12, "unexpected }"),
    ],
)
def test_the_checker_refuses(
    sns_pisa: Site, tmp_path: Path, old: bytes, new: bytes, line: int, words: str
) -> None:
    tree = compiled(compile_logrotate, sns_pisa)
    entry = tree.entries[FILE]
    assert old in entry.content
    tree.entries[FILE] = entry._replace(content=entry.content.replace(old, new))
    first = next(iter(staged(tmp_path, tree, CHECKER)))
    assert words in first.message
    assert first.line == line


def test_a_story_goes_on_over_the_rotation(sns_pisa: Site, tmp_path: Path) -> None:
    """By the real logrotate; the newer of the rotated files is not compressed yet."""
    text = text_of(compiled(compile_logrotate, sns_pisa), FILE)
    rules = tmp_path / "3rc"
    rules.write_text(text.replace("/var/spool/ha", str(tmp_path)))
    rules.chmod(0o600)
    program = find_program("logrotate")
    assert program is not None, "Debian: logrotate"
    log = Log(tmp_path)
    for n in range(3):
        log.append([f"{n}"], [{"vm": "gridce", "n": n}])
        if n < 2:
            state = ["--state", str(tmp_path / "state")]
            subprocess.run([program, "--force", *state, str(rules)], check=True)
    assert (tmp_path / "log").read_text() == "2\n"
    assert [event["n"] for event in log.events("gridce", 10)] == [1, 2]
    assert sorted(each.name for each in tmp_path.glob("log*")) == [
        *("log", "log.1", "log.2.gz", "log.json", "log.json.1", "log.json.2.gz")
    ]
