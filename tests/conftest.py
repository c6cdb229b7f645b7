"""Fixtures and options that many tests share."""

from __future__ import annotations

import pytest

from tests.compiler.support import SNS_PISA
from threerc.compiler.model import Site
from threerc.compiler.source.load import load


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden-update` writes the golden trees anew, to be reviewed in the diff."""
    parser.addoption("--golden-update", action="store_true", help="write tests/golden anew")


@pytest.fixture(scope="session")
def sns_pisa() -> Site:
    """The example site of the thesis."""
    loaded = load(SNS_PISA)
    assert loaded.findings == []
    assert loaded.site is not None
    return loaded.site
