"""docs/reference/site.md: that it is current, and that its example is a site without findings."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.compiler.support import ROOT
from threerc.compiler.build import check
from threerc.compiler.schema import json_schema
from threerc.compiler.source import document

REFERENCE = ROOT / "docs/reference"
EXAMPLE = REFERENCE / "example/site.yaml"


@pytest.fixture(scope="module")
def page() -> str:
    """The page as it should be."""
    generator: dict[str, Any] = runpy.run_path(str(ROOT / "dev/reference.py"))
    text: str = generator["Page"]().write()
    return text


def test_it_is_current(page: str) -> None:
    assert (REFERENCE / "site.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_it_has_every_key(page: str) -> None:
    schema = json_schema()
    for each in [schema, *schema["definitions"].values()]:
        for key in each["properties"]:
            assert f"| `{key}` |" in page or f"\n## {key}\n" in page or f"\n### {key}\n" in page


def test_every_link_within_it_leads_somewhere(page: str) -> None:
    headings = [line.lstrip("# ") for line in page.splitlines() if line.startswith("##")]
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert len(links) > 10
    assert links <= anchors


def test_its_example_uses_every_section_and_has_no_findings() -> None:
    assert check(EXAMPLE).warnings == []
    assert set(document.read(EXAMPLE)) == set(json_schema()["properties"])
