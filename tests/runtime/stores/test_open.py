"""Which store a site has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.support import ROOT
from threerc.runtime.config import ControllerConfig, Etcd
from threerc.runtime.errors import StoreLost
from threerc.runtime.stores import open_store
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.stores.etcd import EtcdStore


def config(folder: Path, **settings: Any) -> ControllerConfig:
    return ControllerConfig.model_construct(state_directory=str(folder), **settings)


def test_the_state_directory_is_the_usual(folder: Path) -> None:
    store = open_store(config(folder, etcd=None))
    assert isinstance(store, DirectoryStore)
    assert store.folder == folder


def test_it_is_not_made_by_opening_it(tmp_path: Path) -> None:
    store = open_store(config(tmp_path / "ha", etcd=None))
    with pytest.raises(StoreLost):
        store.get("brake")
    assert list(tmp_path.iterdir()) == []


def test_etcd_where_it_is_configured_and_the_log_stays_a_file(tmp_path: Path) -> None:
    store = open_store(config(tmp_path, etcd=Etcd(endpoints=("http://127.0.0.1:1",))))
    assert isinstance(store, EtcdStore)
    store.log(["one"], [{"n": 1}])
    assert (tmp_path / "log").read_text() == "one\n"
    assert list(store.events()) == [{"n": 1}]


def test_without_etcd_its_client_is_not_loaded() -> None:
    code = (
        "import sys, threerc.runtime.stores; print('threerc.runtime.stores.gateway' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / ".src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
