"""Hostile values at every field: refused at their line, or written so that they stay in place.

`hostile.yaml` has every key. A field is a text that stands in it, as a value or as a name, with
all that refers to it; hostile texts replace it, or are put before, into and behind it. What is not
refused is compiled; every file is cut up by its own language (`skeleton`), and read by its daemon.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.skeleton import skeleton
from tests.compiler.support import TODAY, text_of
from tests.lab import requires_real
from threerc.compiler.artefacts import ARTEFACTS
from threerc.compiler.build import Checked, Options, build, check
from threerc.compiler.findings import Finding, Rejected
from threerc.compiler.lock import Lock
from threerc.compiler.report import findings_text
from threerc.compiler.schema import json_schema
from threerc.compiler.tree import Output, Tree

Change = Mapping[str, str]
"""Fields, and the texts that stand there instead."""

SITE = yaml.safe_load(Path(__file__).with_name("hostile.yaml").read_text(encoding="utf-8"))
INVENTORY = [
    ["name", "mac", "ip", "aliases", "switches"],
    ["old1", "02:00:c0:a8:01:a1", "192.168.1.161", "older1", "sw1"],
]
SCRIPT = "scripts/base.sh"
HASH = "$6$rounds=5000$saltsalt$" + "x" * 86
FROM_PACKAGES = {"loaders", "dualboot"}
SCHEMA = json_schema()
HOST = "GroupSettings"
"""The definition that has the keys of all kinds of hosts."""
WORD_BY_WORD = {"dhcp", "records"}
"""Keys whose values are lines of a daemon's own language: their checker is the daemon."""
KEYS = {key for each in [SCHEMA, *SCHEMA["definitions"].values()] for key in each["properties"]}

EVIL = (
    '"; option evil "',
    "'; touch /tmp/evil; '",
    "$(touch /tmp/evil)",
    "`touch /tmp/evil`",
    "${HOME}",
    "\nevil IN A 6.6.6.6",
    "\n* * * * * root evil",
    "\r\nlabel evil\r\n",
    "\nKEYS\ntouch /tmp/evil",
    "; evil",
    "} host evil { hardware ethernet 02:66:66:66:66:66; ",
    "{{ 7*7 }}{% include 'zones.j2' %}",
    " # evil",
    " initrd=evil",
    "initrd=evil",
    '"',
    "'",
    'a"b c"d',
    "a'b",
    "\\",
    "\\n",
    "evil\\\n",
    "%",
    "%end",
    "%eth0; evil { }",
    "<evil>&amp;",
    "*/ evil /*",
    "//",
    "..",
    "/../../etc/passwd",
    "-",
    "--evil",
    "-rf",
    " ",
    "\t",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028evil",
    "\ufeff",
    "\uffff",
    "è€\U0001f600",
    "\u05d0\u202eevil",
    "\u0661",
    "\ufdfa" * 200,
    "'" * 150,
    "9" * 400,
    "evil" * 20,
    "evil" * 60,
    "~!@#^&*()_+=|[]?,<>",
    "@",
    "+",
    "_",
    "(rw,no_root_squash)",
    "nan",
    "0x1f",
    "1e5",
    "x--y",
)
DHCPD = "host group option subnet range pool if else class address hardware authoritative include"
DRBD = "on device disk meta-disk internal net resource volume options port ipv4 minor floating"
ZONES = "in a mx ns ch hs txt soa aaaa 1h 2w 3d acl view zone key any none xn--a 0-a"
OTHERS = "yes no y n true null nan node hosts site root localhost6 eth0 con label kernel"
RESERVED = f"{DHCPD} {DRBD} {ZONES} {OTHERS}".split()
"""What some language takes for more than a name."""


def within(field: str, text: str) -> str:
    """The text in front of a field's last mark, or behind its first character."""
    at = max(field.rfind(mark) for mark in "/:.-@= ")
    return field[: max(at, 1)] + text + field[max(at, 1) :]


PLACES: dict[str, Callable[[str, str], str]] = {
    "before": lambda field, text: text + field,
    "within": within,
    "behind": lambda field, text: field + text,
}


def spelled(scalar: Any) -> str:
    return scalar if isinstance(scalar, str) else json.dumps(scalar)


def scalars(node: Any) -> Iterator[str]:
    """All values below a node, and all names that are no keys of the schema."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from () if key in KEYS else (key,)
            yield from () if key in WORD_BY_WORD else scalars(value)
    elif isinstance(node, list):
        for each in node:
            yield from scalars(each)
    else:
        yield spelled(node)


FIELDS = tuple(dict.fromkeys([*scalars(SITE), *INVENTORY[1]]))


class Written:
    """The site with some fields changed, each on lines of its own, and which lines these are."""

    def __init__(self, folder: Path, change: Change) -> None:
        self.change = change
        self.path = folder / "site.yaml"
        self.places: dict[tuple[str, int], str] = {}
        self._lines: list[str] = []
        self._node(SITE, "")
        self.path.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        self._inventory(folder / "nodes.csv")

    def _node(self, node: Any, indent: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                self._scalar(f"{indent}? ", key)
                self._lines.append(f"{indent}: {{}}" if value == {} else f"{indent}:")
                self._node(value, f"{indent}  ")
        elif isinstance(node, list):
            for each in node:
                self._lines.append(f"{indent}-")
                self._node(each, f"{indent}  ")
        else:
            self._scalar(indent, node)

    def _scalar(self, indent: str, scalar: Any) -> None:
        field = spelled(scalar)
        text = json.dumps(scalar)
        if field in self.change:
            # YAML spells characters beyond its 16 bits otherwise than JSON.
            text = "".join(f"\\U{ord(each):08x}" for each in self.change[field])
            text = f'"{text}"'
            self.places[str(self.path), len(self._lines) + 1] = field
        self._lines.append(indent + text)

    def _inventory(self, path: Path) -> None:
        table = io.StringIO()
        writer = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([self.change.get(cell, cell) for cell in row] for row in INVENTORY)
        path.write_text(table.getvalue(), encoding="utf-8", newline="")
        lines = len(re.split(r"\r\n|\n|\r", table.getvalue()))
        for cell in INVENTORY[1]:
            if cell in self.change:
                self.places.update({(str(path), line): cell for line in range(2, lines + 1)})

    def blamed(self, finding: Finding) -> str | None:
        """The field that a finding is about: at whose line it is, or which it quotes."""
        at = self.places.get((finding.place.file, finding.place.line))
        return at or next((f for f, text in self.change.items() if text in finding.message), None)


def check_refusal(written: Written, findings: list[Finding]) -> None:
    """Somebody who reads the findings knows where to look, and reads nothing else."""
    assert any(written.blamed(each) for each in findings), findings
    assert all(each.place.line > 0 and Path(each.place.file).exists() for each in findings)
    lines = findings_text(findings).split("\n")
    assert len(lines) == len(findings) + sum(bool(each.hint) for each in findings)
    assert all(line.isprintable() for line in lines)


def compile_text(checked: Checked) -> Tree:
    """The tree of a site without what comes from packages, which is the same for all sites."""
    tree = Tree()
    for name, compile_one in ARTEFACTS.items():
        if name not in FROM_PACKAGES:
            compile_one(checked.site, Output(name, tree, Lock(TODAY), checked.folder))
    return tree


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the sites are written, with all that they need beside them."""
    made = tmp_path_factory.mktemp("site")
    (made / SCRIPT).parent.mkdir()
    (made / SCRIPT).write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOSTILE_HASH", HASH)
        yield made


@cache
def harmless(folder: Path) -> Counter[tuple[str, str]]:
    """The skeleton of the site as it is."""
    return skeleton(compile_text(check(Written(folder, {}).path)).entries)


def check_tree(folder: Path, tree: Tree) -> None:
    """The tree says what that of the harmless site says, but for the values."""
    for path, entry in tree.entries.items():
        assert re.fullmatch(r"[!-~]+", path)
        assert {"", ".", ".."}.isdisjoint(path.split("/"))
        assert entry.target is None or "/" not in entry.target
    found, expected = skeleton(tree.entries), harmless(folder)
    assert found == expected, {"more": found - expected, "less": expected - found}


def settle(folder: Path, change: Change) -> tuple[Change, Checked]:
    """The part of a change that is taken, by leaving out what is refused until nothing is."""
    while True:
        written = Written(folder, change)
        try:
            return change, check(written.path)
        except Rejected as rejected:
            errors = [each for each in rejected.findings if each.severity == "error"]
            check_refusal(written, errors)
            refused = {written.blamed(each) for each in errors}
            change = {field: text for field, text in change.items() if field not in refused}


@cache
def taken(folder: Path, text: str, place: str) -> tuple[Change, Checked]:
    """A hostile text at all fields that take it, at once."""
    return settle(folder, {field: PLACES[place](field, text) for field in FIELDS})


def used(schema: Any, value: Any) -> Iterator[tuple[str, str]]:
    """The keys that a value has, each with the definition of the schema that it is a key of."""
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = SCHEMA["definitions"][name] if name else schema
    for key, each in value.items() if isinstance(value, dict) else ():
        below = schema.get("properties", {}).get(key)
        if below:
            yield HOST if name.endswith("Entry") else name, key
        yield from used(below or schema.get("additionalProperties") or {}, each)
    for each in value if isinstance(value, list) else ():
        yield from used(schema.get("items", {}), each)
    for each in [*schema.get("allOf", ()), *schema.get("anyOf", ())]:
        yield from used(each, value)


def test_the_site_has_every_key() -> None:
    found = set(used(SCHEMA, SITE))
    models = {"": SCHEMA, **SCHEMA["definitions"]}
    wanted = {
        (n, key) for n in models if not n.endswith("Entry") for key in models[n]["properties"]
    }
    assert wanted <= found, f"give these keys values in hostile.yaml: {sorted(wanted - found)}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", EVIL, ids=lambda text: ascii(text[:24]))
def test_a_hostile_text_at_all_fields(folder: Path, text: str, place: str) -> None:
    change, checked = taken(folder, text, place)
    tree = compile_text(checked)
    check_tree(folder, tree)
    check_values(tree, change)


def words(tree: Tree, path: str, start: str) -> list[str]:
    """The words of a file's line that starts like this, split as sh(1) does."""
    return next(shlex.split(e) for e in text_of(tree, path).splitlines() if e.startswith(start))


def check_values(tree: Tree, change: Change) -> None:
    """Where quoting changes a text, its reader gets it back as it was."""
    new = {field: change.get(field, field) for field in FIELDS}
    server, profile = new["bibe"], new["sl"]
    served = f"{server}{new['/srv/install']}"
    boot_file = text_of(tree, f"{server}{new['/srv/tftp']}/pxelinux.cfg/{profile}")
    arguments = f" {new['console=ttyS0']} {new['nomodeset']}\n"
    assert arguments in boot_file
    (url,) = words(tree, f"{served}/profiles/{profile}.cfg", "url ")[1:]
    assert url == f"--url={new['http://192.168.1.10/mirror/sl']}"
    command = words(tree, f"{served}/files/cron-updates", "0 * * * *")
    assert command[-3:] == ["sh", "-c", new["test -x /usr/local/sbin/site-update && site-update"]]
    config = yaml.safe_load(text_of(tree, f"{server}/etc/3rc/controller.yaml"))
    power = config["physical_hosts"][new["alfa01"]]["power"]
    assert power["password"]["file"] == new["secrets/power"]
    assert config["notify"]["command"] == [new["/usr/local/bin/page"], new["--urgent"]]


def is_hostile(text: str) -> bool:
    """Not what could be a part of some field's harmless value."""
    return re.fullmatch(r"[A-Za-z0-9.:]*", text) is None


TEXTS = st.one_of(
    st.sampled_from(EVIL),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(is_hostile),
    st.builds("{}{}".format, st.sampled_from(EVIL), st.text(max_size=5)),
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One or two fields with a hostile text instead of theirs, or around or within it."""
    fields = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2, unique=True))
    ways = [lambda _field, text: text, *PLACES.values()]
    return {field: draw(st.sampled_from(ways))(field, draw(TEXTS)) for field in fields}


@settings(deadline=None, max_examples=300)
@given(change=changes())
def test_any_text_at_any_field(folder: Path, change: Change) -> None:
    written = Written(folder, change)
    try:
        checked = check(written.path)
    except Rejected as rejected:
        check_refusal(written, rejected.findings)
    else:
        check_tree(folder, compile_text(checked))


def samples(folder: Path, count: int) -> Iterable[Change]:
    """Some sites in which every field that takes hostile texts has another one each time."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for text in EVIL:
        for place in PLACES:
            for field, value in taken(folder, text, place)[0].items():
                found[field].append(value)
    for at in range(count):
        yield {field: each[at * len(each) // count] for field, each in found.items()}


@requires_real()
def test_the_daemons_take_all_that_is_taken(folder: Path) -> None:
    for change in samples(folder, 4):
        settled, _ = settle(folder, change)
        assert len(settled) > len(FIELDS) / 3
        path = Written(folder, settled).path
        build(path, Options(folder / "out", TODAY, strict=True))


@requires_real()
def test_the_daemons_take_words_that_they_know_for_names(tmp_path: Path) -> None:
    roles = ["dhcp", "dns", "tftp", "install", "collector", "gmetad", "controller"]
    hosts = {
        word: {
            "address": f"10.0.0.{at}",
            "mac": f"02:00:0a:00:00:{at:02x}",
            "groups": [word],
            "roles": roles if at == 1 else [],
        }
        for at, word in enumerate(RESERVED, 1)
    }
    volumes = {
        word: {"peers": [word, other], "disk": f"/dev/vg0/{word}", "size": "1GiB"}
        for word, other in itertools.pairwise(RESERVED)
    }
    site = {
        "site": "words",
        "domain": "example.org",
        "networks": {"range": {"prefix": "10.0.0.0/24", "boot": True}},
        "os_profiles": {
            word: {"installer": "manual", "kernel": "k", "initrd": "i"} for word in RESERVED
        },
        "middleware": {word: {} for word in RESERVED},
        "groups": {word: {"os": word, "middleware": word} for word in RESERVED},
        "physical_hosts": hosts,
        "volumes": volumes,
    }
    (tmp_path / "site.yaml").write_text(json.dumps(site), encoding="utf-8")
    build(tmp_path / "site.yaml", Options(tmp_path / "out", TODAY, strict=True))
