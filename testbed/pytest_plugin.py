"""Tests of one's own site: the fixture `site` is the site, running, in a testbed.

    def test_the_computing_element_survives(site):
        site.vm("gridce").crash()
        site.wait_recovered("gridce", within=300)

pytest loads it by itself where 3RC is installed. The site's file is `testbed_site` in pytest's
configuration, or `--testbed-site`. It comes up for the first test that wants it, and goes down
after the last one, also when that is interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from threerc.testbed.prepare import Wanted
    from threerc.testbed.site import RunningSite


@dataclass(frozen=True, slots=True)
class _Setting:
    """A key of pytest's configuration, and the option that overrules it."""

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        return f"testbed_{self.name}"


_SETTINGS: Final = (
    _Setting("site", "The YAML file of the site that the fixture `site` runs."),
    _Setting("vms", "Only these virtual machines of it: names with commas."),
    _Setting("nodes", "Also these worker nodes: names with commas."),
    _Setting("profile", "The site's own times, or short ones.", "fast", ("thesis", "fast")),
    _Setting("image", "What is installed on machines.", "mini", ("mini", "debian")),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings, each to the command line and to the configuration."""
    group = parser.getgroup("testbed", "3RC's testbed")
    for each in _SETTINGS:
        option = f"--testbed-{each.name}"
        group.addoption(option, dest=each.key, choices=each.choices, help=each.help)
        parser.addini(each.key, each.help, default=each.default)


@pytest.fixture(scope="session")
def testbed_site(request: pytest.FixtureRequest) -> Iterator[RunningSite]:
    """The site, up for the whole session. Tests rather want `site`."""
    with ExitStack() as stack:
        yield _up(request.config, stack)


def _up(config: pytest.Config, stack: ExitStack) -> RunningSite:
    """Bring the site up; it ends with the stack."""
    from threerc.compiler.build import check
    from threerc.compiler.findings import Rejected
    from threerc.compiler.report import render_findings
    from threerc.testbed.errors import TestbedError
    from threerc.testbed.progress import Reporter
    from threerc.testbed.site import RunningSite
    from threerc.testbed.up import bring_up

    path, wanted = _file(config), _wanted(config)
    try:
        with _shown(config):
            reporter = Reporter(sys.stderr)
            with reporter.telling():
                held = stack.enter_context(bring_up(check(path), wanted, reporter))
    except Rejected as rejected:
        pytest.fail(render_findings(rejected.findings, "text"), pytrace=False)
    except TestbedError as error:
        pytest.fail(str(error), pytrace=False)
    return RunningSite(held.testbed, say=print)


@pytest.fixture
def site(testbed_site: RunningSite) -> Iterator[RunningSite]:
    """The site with all its machines up; what the test leaves broken is healed after it."""
    testbed_site.wait_up()
    yield testbed_site
    testbed_site.heal()


def _file(config: pytest.Config) -> Path:
    """The site's file: as typed it is seen from where we are, as configured from the root."""
    typed = config.getoption("testbed_site")
    if typed:
        return Path(config.invocation_params.dir, typed)
    configured = config.getini("testbed_site")
    if not configured:
        pytest.fail("which site? name its file: --testbed-site, or testbed_site", pytrace=False)
    return Path(config.rootpath, configured)


def _wanted(config: pytest.Config) -> Wanted:
    from threerc.testbed.prepare import wanted

    vms, *others = (_value(config, name) for name in ("vms", "nodes", "image", "profile"))
    return wanted(vms or None, *others)


def _value(config: pytest.Config, name: str) -> Any:
    (setting,) = (each for each in _SETTINGS if each.name == name)
    value = config.getoption(setting.key) or config.getini(setting.key)
    if setting.choices is not None and value not in setting.choices:
        known = " or ".join(setting.choices)
        pytest.fail(f"{setting.key} is {value!r}, not {known}", pytrace=False)
    return value


@contextmanager
def _shown(config: pytest.Config) -> Iterator[None]:
    """Let what is said within be seen now: it takes minutes."""
    capturing = config.pluginmanager.getplugin("capturemanager")
    with capturing.global_and_fixture_disabled():
        yield
