"""Fixtures and options that many tests share."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from tests.compiler.support import SNS_PISA
from threerc.compiler.model import Site
from threerc.compiler.source.load import load

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("no-deadline", settings(), deadline=None)
settings.load_profile("no-deadline")

# A shell has what it starts in the background ignore Ctrl-C, and so all that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_LONG = ("testbed", "real", "rollout")
"""Folders of tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden-update` writes the golden trees anew, to be reviewed in the diff."""
    parser.addoption("--golden-update", action="store_true", help="write tests/golden anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what boots machines, so that at the end no core waits for the other's last file."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


@pytest.fixture(scope="session")
def sns_pisa() -> Site:
    """The example site of the thesis."""
    loaded = load(SNS_PISA)
    assert loaded.findings == []
    assert loaded.site is not None
    return loaded.site
