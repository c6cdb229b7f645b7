"""How images come to be: from this machine's own packages, once, and the same each time."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab import requires_real
from threerc.testbed.images.cache import UNUSED_DAYS, Build, Cache, ImageError, digest
from threerc.testbed.images.installer import INSTALLER
from threerc.testbed.images.mini import MINI
from threerc.testbed.images.packages import Package, fetch, resolve

pytestmark = requires_real()


@dataclass
class Small:
    """Something made of one small package."""

    name: str = "small"
    packages: tuple[str, ...] = ("mawk",)
    outputs: tuple[str, ...] = ("txt",)
    made: list[str] = field(default_factory=list)
    fails: bool = False

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write down what it is made of."""
        outputs[0].write_text("half")
        if self.fails:
            raise ImageError("no")
        self.made.append(build.packages[0].name)
        outputs[0].write_text(" ".join(package.name for package in build.packages))


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def packages(pytestconfig: pytest.Config) -> Path:
    """The packages that earlier runs have fetched."""
    folder = Path(pytestconfig.cache.mkdir("threerc-images")) / "packages"
    folder.mkdir(exist_ok=True)
    return folder


def fresh(folder: Path, packages: Path) -> Cache:
    """A cache with nothing in it but packages."""
    folder.mkdir()
    (folder / "packages").symlink_to(packages)
    return Cache(folder, silent)


def test_the_same_is_made_twice(tmp_path: Path, packages: Path) -> None:
    for recipe in (INSTALLER, MINI):
        one = fresh(tmp_path / f"one-{recipe.name}", packages).get(recipe)
        two = fresh(tmp_path / f"two-{recipe.name}", packages).get(recipe)
        for first, second in zip(one, two, strict=True):
            assert first.name == second.name
            assert first.read_bytes() == second.read_bytes()
    (image,) = one
    assert image.stat().st_size < 40_000_000
    with tarfile.open(image) as archive:
        members = {member.name: member for member in archive}
    assert members["./etc/init.d/start"].mode == 0o755
    assert {member.uid for member in members.values()} == {0}
    # No image has what must differ between hosts.
    assert not [name for name in members if "ssh_host" in name]


def test_what_was_made_is_there_without_a_network(tmp_path: Path, packages: Path) -> None:
    small = Small()
    cache = fresh(tmp_path / "cache", packages)
    (made,) = cache.get(small)
    assert "mawk" in made.read_text()
    (cache.folder / "packages").unlink()
    assert cache.get(small) == (made,)
    assert len(small.made) == 1


def test_what_nothing_has_used_for_long_is_removed(tmp_path: Path, packages: Path) -> None:
    cache = fresh(tmp_path / "cache", packages)
    (cache.folder / "packages").unlink()
    assert Cache(tmp_path / "none", silent).remove_unused() == []
    old, young = cache.folder / "mini-1.tar.gz", cache.folder / "packages/mawk_1_amd64.deb"
    young.parent.mkdir()
    now = time.time()
    for file, days in ((old, UNUSED_DAYS + 1), (young, UNUSED_DAYS - 1)):
        file.write_bytes(b"1234")
        os.utime(file, (now, now - days * 86400))
    assert (cache.remove_unused(), cache.size()) == ([old], 4)


def test_what_is_used_is_not_old(tmp_path: Path, packages: Path) -> None:
    cache = fresh(tmp_path / "cache", packages)
    (made,) = cache.get(Small())
    os.utime(made, (0, 0))
    cache.get(Small())
    assert made not in cache.remove_unused()
    assert made.exists()


def test_what_builds_dies_with_who_makes_images(tmp_path: Path, packages: Path) -> None:
    """And nothing is cleared away under its hands."""
    cache = fresh(tmp_path / "cache", packages)
    number = secrets.randbelow(10**6) + 10**6
    code = f"""
from pathlib import Path
from tests.testbed.test_images import Small, silent
from threerc.testbed.images.builders import run_builder
from threerc.testbed.images.cache import Cache
class Slow(Small):
    def make(self, build, outputs):
        run_builder(["sh", "-c", f"touch {{build.work}}/begun; sleep {number} & sleep {number}"])
Cache(Path({str(cache.folder)!r}), silent).get(Slow())
"""
    with subprocess.Popen([sys.executable, "-c", code]) as making:
        await_true(lambda: any(cache.folder.glob(".making-*/work/begun")))
        assert cache.remove_unused() == []
        assert len(sleeping(number)) == 2
        making.kill()
    await_true(lambda: not any([*cache.remove_unused(), *cache.folder.glob(".making-*")]))
    assert sleeping(number) == []
    assert {path.name for path in cache.folder.iterdir()} == {"lock", "packages"}


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def sleeping(number: int) -> list[str]:
    found = ["pgrep", "-fx", f"sleep {number}"]
    return subprocess.run(found, capture_output=True, text=True, check=False).stdout.split()


def test_a_digest_depends_on_versions() -> None:
    one, two = Package("a", "1", "amd64"), Package("a", "2", "amd64")
    assert digest([one]) == digest([one])
    assert digest([one]) != digest([two])


def test_what_fails_or_is_killed_leaves_nothing_half(tmp_path: Path, packages: Path) -> None:
    cache = fresh(tmp_path / "cache", packages)
    with pytest.raises(ImageError):
        cache.get(Small(fails=True))
    left = {path.name for path in cache.folder.iterdir()}
    assert left == {"lock", "packages"}
    code = f"""
import os, signal, sys
from pathlib import Path
from tests.testbed.test_images import Small, silent
from threerc.testbed.images.cache import Cache
class Dying(Small):
    def make(self, build, outputs):
        outputs[0].write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
Cache(Path({str(cache.folder)!r}), silent).get(Dying())
"""
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | path)
    assert killed.returncode == -signal.SIGKILL
    assert any(path.name.startswith(".making-") for path in cache.folder.iterdir())
    (made,) = cache.get(Small())
    assert {path.name for path in cache.folder.iterdir()} == {"lock", "packages", made.name}
    assert made.read_text() != "half"


def test_of_two_at_once_one_makes_it(tmp_path: Path, packages: Path) -> None:
    cache = fresh(tmp_path / "cache", packages)
    small = Small()
    threads = [threading.Thread(target=cache.get, args=(small,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(small.made) == 1


def test_a_package_that_nobody_knows_is_named() -> None:
    with pytest.raises(ImageError, match=r"no-such-package.*apt-get update"):
        resolve(["no-such-package"])


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from threerc.testbed.images.packages import ImageError, fetch, resolve
try:
    fetch(resolve(["mawk"]), Path({str(tmp_path)!r}))
except ImageError as error:
    print(error)
"""
    alone = ["unshare", "--net", sys.executable, "-c", code]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.check_output(alone, text=True, env=os.environ | path)
    assert said.startswith("apt cannot fetch the packages of the image (Failed to fetch")
    assert "is there a network" in said


def test_packages_come_with_all_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = resolve(["mawk"])
    assert {"mawk", "libc6"} <= {package.name for package in found}
    # A folder from where we are, which is not where apt is.
    monkeypatch.chdir(tmp_path)
    assert all(file.exists() for file in fetch(found, Path("packages")))
