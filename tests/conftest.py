"""Fixtures and options that many tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.compiler.support import SNS_PISA
from threerc.compiler.model import Site
from threerc.compiler.source.load import load

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("no-deadline", settings(), deadline=None)
settings.load_profile("no-deadline")


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
