from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

from threerc.testbed.supplies import outermost, own_folders


@pytest.mark.parametrize("room", ["compiler", "rollout", "runtime", "templates", "testbed"])
def test_the_program_lies_in_its_own_folders(room: str) -> None:
    (place,) = {Path(path).resolve() for path in import_module(f"threerc.{room}").__path__}
    assert any(place.is_relative_to(folder) for folder in own_folders())


def test_python_lies_in_them_too() -> None:
    assert any(Path(os.__file__).is_relative_to(folder) for folder in own_folders())
    assert any(Path(sys.executable).is_relative_to(folder) for folder in own_folders())


def test_folders_in_others_are_left_out() -> None:
    found = map(Path, ("/a/b", "/a/bc", "/a/b/c", "/d", "/d/e/f"))
    assert outermost(found) == (Path("/a/b"), Path("/a/bc"), Path("/d"))
