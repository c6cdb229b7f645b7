"""Drawings of a site: every host is in them, whatever its description says, and nothing spills."""

from __future__ import annotations

import re
import subprocess
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.compiler.support import HEAD, ROOT, good_site
from threerc.compiler.graph import draw
from threerc.compiler.graph.fold import ranges
from threerc.compiler.graph.lettering import elide, width, wrap
from threerc.compiler.model import Site
from threerc.compiler.source.ranges import expand, is_range
from threerc.compiler.verify.base import find_program

SUFFIXES = (".svg", ".mmd", ".dot")
SVG = "{http://www.w3.org/2000/svg}"
EVIL = "\"]; a <b> &lt; 'c' #quot; %% end --> ]]> \\N \\\" {x|y} `z` $(id) \u202e style: #1;"
HOSTILE = (
    HEAD
    + """
service_hosts:
  end: {address: 192.168.1.1, roles: [dns, controller, collector], description: EVIL}
physical_hosts:
  subgraph: {address: 192.168.1.2, description: EVIL}
  graph: {address: 192.168.1.3}
virtual_machines:
  style: {address: 192.168.1.4, home: subgraph, volume: a, description: EVIL}
  NAME: {address: 192.168.1.5, home: graph}
worker_nodes:
  wn[8-11]: {address: 192.168.1.8-192.168.1.11, description: EVIL}
volumes:
  a: {peers: [subgraph, graph], disk: /dev/vg0/a, size: 10GiB}
  b: {peers: [subgraph, graph], disk: /dev/vg0/b, size: 10GiB}
description: EVIL
"""
)
LABEL = r'"[^"`;{}<>|\\]*"'
NODE = rf"\w+(\[{LABEL}\]|\(\[{LABEL}\]\))(:::\w+)?"
MERMAID = re.compile(
    rf"flowchart TB|%% .*|  +{NODE}|  subgraph \w+\[{LABEL}\]|  end|  \w+ --- \w+"
    rf"|  \w+ <-\. {LABEL} \.-> \w+|  classDef \w+ [\w:#,]+"
)


@pytest.fixture
def hostile(tmp_path: Path) -> Site:
    """Names that are key words, one of the longest, and descriptions to break out with."""
    evil = '"' + EVIL.replace("\\", "\\\\").replace('"', '\\"') + '"'
    text = HOSTILE.replace("EVIL", evil)
    return good_site(tmp_path, text.replace("NAME", "W" * 63))


@pytest.fixture
def large(tmp_path: Path) -> Site:
    """10 physical hosts, 40 VMs, 500 worker nodes, mirrors between all kinds of pairs."""
    lines = [HEAD.replace("192.168.1.0/24", "10.0.0.0/16").replace("192.168.1.254", "10.0.255.254")]
    lines += ["physical_hosts:", "  ph[01-10]: {address: 10.0.1.1-10.0.1.10}", "virtual_machines:"]
    lines += [f"  vm{n:02}: {{address: 10.0.2.{n}, home: ph{n % 10 + 1:02}}}" for n in range(1, 41)]
    lines += ["worker_nodes:", "  wn[001-400]: {address: 10.0.4.1-10.0.5.144}"]
    lines += [f"  x{n * n % 997}: {{address: 10.0.6.{n}, os: sl4}}" for n in range(1, 101)]
    lines += ["os_profiles: {sl4: {installer: manual, kernel: k, initrd: i}}", "volumes:"]
    lines += [
        f"  v{a}-{b}: {{peers: [ph{a:02}, ph{b:02}], disk: /dev/vg0/v{a}-{b}, size: 1GiB}}"
        for a, b in combinations(range(1, 11), 2)
        if (a * b) % 3 == 0
    ]
    return good_site(tmp_path, "\n".join(lines))


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)  # noqa: S314 - it is our own
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def names_in(words: str) -> set[str]:
    """All host names in a text, those of ranges too."""
    found: set[str] = set()
    for word in re.findall(r"\w[\w-]*(?:\[[\d,-]+\][\w-]*)*", words):
        found.update(expand(word) if is_range(word) else [word])
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_host_is_drawn(sns_pisa: Site, suffix: str) -> None:
    drawing = draw(sns_pisa, suffix)
    words = " ".join(texts(drawing)) if suffix == ".svg" else drawing
    assert names_in(words.replace("\\n", " ").replace("<br/>", " ")) >= set(sns_pisa.hosts)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_networks_volumes_and_the_controllers_minutes_are_drawn(
    sns_pisa: Site, suffix: str
) -> None:
    drawing = draw(sns_pisa, suffix)
    for words in ("192.168.2.0/24", "gridse, 100 GiB", "even minutes", "odd minutes", "collector"):
        assert words in drawing


def test_of_three_controllers_each_is_drawn_with_the_minutes_of_its_cron(tmp_path: Path) -> None:
    hosts = "".join(f"  c{n}: {{address: 192.168.1.{n}, roles: [controller]}}\n" for n in (1, 2, 3))
    drawing = draw(good_site(tmp_path, f"{HEAD}service_hosts:\n{hosts}"), ".dot")
    assert (drawing.count("even minutes"), drawing.count("odd minutes")) == (2, 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_site_gives_the_same_drawing(sns_pisa: Site, suffix: str) -> None:
    assert draw(sns_pisa, suffix) == draw(sns_pisa.model_copy(deep=True), suffix)


def test_other_formats_are_refused(sns_pisa: Site) -> None:
    with pytest.raises(ValueError, match=r"\.png"):
        draw(sns_pisa, ".png")


def test_the_picture_in_the_documents_is_current(sns_pisa: Site) -> None:
    assert (ROOT / "docs/sns-pisa.svg").read_text(encoding="utf-8") == draw(sns_pisa, ".svg")


def test_a_hostile_description_stays_text_in_svg(hostile: Site) -> None:
    drawing = draw(hostile, ".svg")
    root = ET.fromstring(drawing)  # noqa: S314 - it is our own
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "style", "g", "rect", "path", "text", "ellipse", "circle")
    }
    shown = EVIL.replace("\u202e", "\ufffd")
    tips = [element.text for element in root.iter(f"{SVG}title")]
    assert f"style: {shown}" in tips
    assert "W" * 63 in texts(drawing)


def test_mermaid_takes_no_line_that_it_could_misread(hostile: Site, sns_pisa: Site) -> None:
    for site in (hostile, sns_pisa):
        for line in draw(site, ".mmd").splitlines():
            bare = re.sub(r"#\d+;|<br/>", "", line)
            assert MERMAID.fullmatch(bare), line


def test_mermaid_sees_no_colon_beside_an_entity(hostile: Site) -> None:
    """It drops a semicolon from what looks like `style...: ...#...;`."""
    assert not re.search(r"style.*:\S*#.*;", draw(hostile, ".mmd"))


def test_dot_takes_it_and_shows_the_text_as_it_is(hostile: Site, sns_pisa: Site) -> None:
    program = find_program("dot")
    assert program is not None, "dot is missing (Debian: graphviz)"
    for site in (hostile, sns_pisa):
        run = subprocess.run(
            [program, "-Tsvg"], input=draw(site, ".dot").encode(), capture_output=True, check=True
        )
        assert run.stderr == b""
        shown = texts(run.stdout.decode())
        for host in site.hosts.values():
            if host.description and host.kind != "worker_nodes":
                readable = host.description.replace("\u202e", "\ufffd")
                assert readable in [each.replace("\xa0", " ") for each in shown]


def test_many_worker_nodes_become_few_boxes(large: Site) -> None:
    drawn = texts(draw(large, ".svg"))
    assert "wn[001-400]" in drawn
    assert "\N{MULTIPLICATION SIGN} 400" in drawn
    assert sum(each.startswith("\N{MULTIPLICATION SIGN}") for each in drawn) == 2
    assert names_in(" ".join(drawn)) >= {*large.virtual_machines, *large.physical_hosts}


@pytest.mark.parametrize("name", ["sns_pisa", "hostile", "large"])
def test_text_stays_in_its_box_and_boxes_stay_apart(
    name: str, request: pytest.FixtureRequest
) -> None:
    root = ET.fromstring(  # noqa: S314 - it is our own
        draw(request.getfixturevalue(name), ".svg")
    )
    page = [int(part) for part in root.attrib["viewBox"].split()]
    groups = [group for group in root.findall(f"{SVG}g") if group.get("class") != "legend"]
    frames = [box for group in groups for box in boxes(group, 0, 0)]
    for x, y, wide, high in frames:
        assert 0 <= x < x + wide <= page[2]
        assert 0 <= y < y + high <= page[3]
    for one, other in combinations(frames, 2):
        assert apart(one, other)


Box = tuple[int, int, int, int]


def boxes(group: ET.Element, x: int, y: int) -> list[Box]:
    """A card's frame, after a look that its texts and the cards inside are inside of it."""
    dx, dy = map(int, re.findall(r"-?\d+", group.attrib["transform"]))
    x, y = x + dx, y + dy
    frame = [each for each in group.findall(f"{SVG}rect") if each.get("class") in {"card", "vm"}][
        -1
    ]
    wide, high = int(frame.attrib["width"]), int(frame.attrib["height"])
    for text in group.findall(f"{SVG}text"):
        css = text.get("class", "")
        size = int(text.attrib["font-size"])
        long = width(text.text or "", size, bold="bold" in css)
        start = int(text.attrib["x"]) - (long if text.get("text-anchor") == "end" else 0)
        assert 0 <= start < start + long <= wide, text.text
        assert size <= int(text.attrib["y"]) <= high, text.text
    for inner in group.findall(f"{SVG}g"):
        for bx, by, bw, bh in boxes(inner, x, y):
            assert x < bx < bx + bw < x + wide
            assert y < by < by + bh < y + high
    return [(x, y, wide, high)]


def apart(one: Box, other: Box) -> bool:
    (ax, ay, aw, ah), (bx, by, bw, bh) = one, other
    return ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["wn8", "wn9", "wn10", "wn11"], "wn[8-11]"),
        (["wn01", "wn02", "wn99", "wn100"], "wn[01-02], wn[99-100]"),
        (["wn1", "wn01", "a"], "wn1, wn01, a"),
        (["r1n2x", "r1n3x", "r2n4x"], "r1n[2-3]x, r2n4x"),
        (["12", "13"], "[12-13]"),
    ],
)
def test_names_are_folded_to_ranges_that_expand_to_them(names: list[str], folded: str) -> None:
    assert ranges(names) == folded
    unfolded = [expand(part) if is_range(part) else [part] for part in folded.split(", ")]
    assert sorted(name for part in unfolded for name in part) == sorted(names)


def test_text_is_cut_at_words_and_fits() -> None:
    lines = wrap("one two three four five six seven eight nine ten", 11, 90, 2)
    assert len(lines) == 2
    assert lines[-1].endswith(" \N{HORIZONTAL ELLIPSIS}")
    assert all(width(line, 11) <= 90 for line in lines)
    assert width(elide("W" * 10_000, 11, 90), 11) <= 90


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_smallest_site_is_drawn(tmp_path: Path, suffix: str) -> None:
    assert "192.168.1.0/24" in draw(good_site(tmp_path, HEAD), suffix)
