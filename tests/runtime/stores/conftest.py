"""Every store, as a place where controllers meet."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import requires_real
from tests.runtime.stores.etcd_server import Member, etcd
from tests.runtime.stores.support import Place
from threerc.runtime.config import Etcd
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.stores.etcd import EtcdStore

_PREFIXES = (f"/test{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """An etcd that nobody kills."""
    with etcd(tmp_path_factory.mktemp("etcd")) as member:
        yield member


@pytest.fixture
def etcd_prefix() -> str:
    """A prefix that no other test uses."""
    return next(_PREFIXES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state directory."""
    DirectoryStore.create(tmp_path / "ha")
    return tmp_path / "ha"


@pytest.fixture(params=["directory", "memory", pytest.param("etcd", marks=requires_real())])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the stores."""
    make: Callable[[], Place] = request.getfixturevalue(f"{request.param}_place")
    return make()


@pytest.fixture(params=["directory", pytest.param("etcd", marks=requires_real())])
def shared(request: pytest.FixtureRequest) -> Place:
    """Each of the stores that processes share."""
    make: Callable[[], Place] = request.getfixturevalue(f"{request.param}_place")
    return make()


@pytest.fixture
def directory_place(request: pytest.FixtureRequest) -> Callable[[], Place]:
    def make() -> Place:
        folder: Path = request.getfixturevalue("folder")
        return Place(lambda: DirectoryStore(folder), lambda: log_lines(folder))

    return make


@pytest.fixture
def memory_place() -> Callable[[], Place]:
    store = MemoryStore()
    return lambda: Place(lambda: store, lambda: store.lines)


@pytest.fixture
def etcd_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Place]:
    def make() -> Place:
        server: Member = request.getfixturevalue("server")
        settings = Etcd(endpoints=(server.url,), prefix=request.getfixturevalue("etcd_prefix"))
        return Place(lambda: EtcdStore(settings, tmp_path), lambda: log_lines(tmp_path))

    return make


def log_lines(folder: Path) -> list[str]:
    """The lines of a log file."""
    return (folder / "log").read_text(encoding="utf-8").splitlines()
