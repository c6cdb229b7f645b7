"""cron: who acts when, and that every line reads back as what was meant."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.support import HEAD, compiled, good_site, site_of, staged, text_of
from threerc.compiler.artefacts.cron import compile_cron, cron_fields
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.cron import CHECKER, times

HA = "bibe/etc/cron.d/ha"
MIDNIGHT = datetime(2026, 1, 1)  # noqa: DTZ001 - cron knows no zone either


def lines(tree: Tree, path: str) -> list[str]:
    text = text_of(tree, path)
    return [line for line in text.splitlines() if line and line[0] in "*0123456789"]


def test_a_on_even_and_b_on_odd_minutes(sns_pisa: Site) -> None:
    tree = compiled(compile_cron, sns_pisa)
    (even,), (odd,) = lines(tree, HA), lines(tree, "bussolo/etc/cron.d/ha")
    command = "ha 3rc controller --config /etc/3rc/controller.yaml --once"
    assert even == f"*/2 * * * * {command}"
    assert odd == f"1-59/2 * * * * {command}"
    assert times("*/2 * * * *")[0] == frozenset(range(0, 60, 2))
    assert times("1-59/2 * * * *")[0] == frozenset(range(1, 60, 2))


def test_a_single_controller_acts_every_minute(tmp_path: Path) -> None:
    text = HEAD + "service_hosts:\n  s: {address: 192.168.1.2, roles: [controller]}\n"
    site = site_of(tmp_path, text).site
    assert site is not None
    assert lines(compiled(compile_cron, site), "s/etc/cron.d/ha")[0].startswith("* * * * * root ")


def test_nodes_get_the_update_check_from_the_install_server(sns_pisa: Site) -> None:
    tree = compiled(compile_cron, sns_pisa)
    served = text_of(tree, "bibe/srv/install/files/cron-updates")
    assert served == text_of(tree, "alfa01/etc/cron.d/3rc-updates")
    assert served.endswith("\\% 300 )); /usr/local/sbin/site-update\n")


@pytest.mark.parametrize("command", ["date +%s", r"a\b", "a\nb", ""])
def test_commands_that_cron_would_change_are_refused(tmp_path: Path, command: str) -> None:
    quoted = command.replace("\\", "\\\\").replace("\n", "\\n")
    loaded = site_of(tmp_path, HEAD + f'updates: {{command: "{quoted}"}}\n')
    assert [finding.rule for finding in loaded.findings] == ["cron-command"]


@given(st.integers(-5, 3000))
def test_every_so_many_minutes_is_even_or_refused(every: int) -> None:
    try:
        fields = cron_fields(every)
    except ValueError:
        assert every < 1 or 1440 % every or (60 % every and every % 60)
        return
    when = CronSim(fields, MIDNIGHT)
    moments = [next(when) for _ in range(5)]
    gaps = {later - sooner for sooner, later in itertools.pairwise(moments)}
    assert gaps == {timedelta(minutes=every)}


number = st.integers(0, 59)
low, high = st.integers(0, 29), st.integers(30, 59)
part = st.one_of(
    st.just("*"),
    number.map(str),
    st.builds(lambda a, b: f"{min(a, b)}-{max(a, b)}", number, number),
    st.integers(1, 59).map(lambda n: f"*/{n}"),
    # cronsim takes 7-7/2 for */2, which no cron does: the ends differ here.
    st.builds(lambda a, b, n: f"{a}-{b}/{n}", low, high, st.integers(1, 30)),
)


@given(st.lists(part, min_size=1, max_size=3).map(",".join))
def test_minutes_are_enumerated_as_cronsim_does(field: str) -> None:
    when = CronSim(f"{field} * * * *", MIDNIGHT - timedelta(minutes=1))
    found: set[int] = set()
    while (moment := next(when)) < MIDNIGHT + timedelta(hours=1):
        found.add(moment.minute)
    assert times(f"{field} * * * *")[0] == found


def test_the_checker_takes_it(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_cron, sns_pisa), CHECKER)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"*/2 *", b"*/2", "not five time fields"),
        (b"*/2 *", b"*/0 *", "not within"),
        (b"*/2 *", b"60 *", "not within"),
        (b"*/2 *", b"*/3 *", "same minutes"),
        (b"--once", b"--once %d", "unescaped %"),
        (b"--once\n", b"--once", "last line"),
    ],
)
def test_the_checker_refuses(
    sns_pisa: Site, tmp_path: Path, old: bytes, new: bytes, words: str
) -> None:
    tree = compiled(compile_cron, sns_pisa)
    entry = tree.entries[HA]
    assert old in entry.content
    tree.entries[HA] = entry._replace(content=entry.content.replace(old, new))
    failures = list(staged(tmp_path, tree, CHECKER))
    assert words in failures[0].message


def test_a_controller_of_a_site_without_any_has_no_cron_file(tmp_path: Path) -> None:
    text = HEAD + "service_hosts:\n  s: {address: 192.168.1.2, mac: 02:00:00:00:00:01}\n"
    assert compiled(compile_cron, good_site(tmp_path, text)).entries == {}
