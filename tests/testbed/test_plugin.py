"""The pytest plugin, as users have it: in a pytest of its own; tests/real brings whole sites up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.testbed import traces
from threerc.testbed import runs

SITE = ROOT / "examples/ci/site.yaml"
TEST = "def test_it(site):\n    print(site)\n"
UP_SECONDS = 120.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder with a test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "test_site.py").write_text(TEST, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]


def said(project: Path, *options: str) -> str:
    done = subprocess.run(
        command(*options), cwd=project, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_without_a_site_it_says_how_one_is_named(project: Path) -> None:
    assert "which site? name its file: --testbed-site, or testbed_site" in said(project)


def test_a_site_with_mistakes_is_told_with_its_findings(project: Path) -> None:
    (project / "site.yaml").write_text("site: x\nnonsense: 1\n", encoding="utf-8")
    (project / "pytest.ini").write_text("[pytest]\ntestbed_site = site.yaml\n", encoding="utf-8")
    (project / "elsewhere").mkdir()
    shown = said(project / "elsewhere", "..")  # the path is one from the configuration on
    assert "site.yaml:2" in shown
    assert "nonsense" in shown
    assert "Traceback" not in shown


def test_what_the_site_has_not_is_told(project: Path) -> None:
    shown = said(project, f"--testbed-site={SITE}", "--testbed-vms=vm1, vm9")
    assert "ci has no virtual machine 'vm9'" in shown


def test_an_odd_profile_is_refused(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\ntestbed_profile = slow\n", encoding="utf-8")
    shown = said(project, f"--testbed-site={SITE}")
    assert "testbed_profile is 'slow', not thesis or fast" in shown


@requires_real()
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_session_that_ends_while_the_site_comes_up_leaves_nothing(
    project: Path, how: signal.Signals
) -> None:
    options = command(f"--testbed-site={SITE}", "--testbed-vms=vm1")
    with subprocess.Popen(options, cwd=project, stdout=subprocess.PIPE, text=True) as session:
        await_lab(session)
        session.send_signal(how)
        session.communicate()
    assert traces.left(project.name) == []
    runs.remove_dead()
    assert runs.known() == []


def await_lab(session: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while not any(run.process() for run in runs.known()):
        assert session.poll() is None, session.communicate()[0]
        assert time.monotonic() < deadline, "the lab was not started"
        time.sleep(0.05)
