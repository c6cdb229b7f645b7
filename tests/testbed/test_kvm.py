"""KVM is used only where a machine boots with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import requires_real
from threerc.testbed.images.cache import Cache
from threerc.testbed.images.installer import INSTALLER
from threerc.testbed.iron import Iron
from threerc.testbed.kvm import reason, why_not
from threerc.testbed.network import Network
from threerc.testbed.parts import MachineSpec

pytestmark = requires_real()

NONE = "nonsense"
"""An accelerator that no QEMU has."""
ENDED = "the machine ended before it had booted"
SLOW = 120.0
OTHER = "tcg,thread=single"
"""Emulation too, by a name that tells it from the other's."""


@pytest.fixture(scope="module")
def media(pytestconfig: pytest.Config) -> tuple[Path, Path]:
    """The installer's kernel and initrd."""
    cache = Path(pytestconfig.cache.mkdir("threerc-images"))
    kernel, initrd = Cache(cache, print).get(INSTALLER)
    return kernel, initrd


def test_a_machine_that_boots_is_the_proof(media: tuple[Path, Path]) -> None:
    assert why_not(*media, "tcg", NONE, SLOW) == ""


def test_a_machine_that_does_not_boot_is_none(media: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "initrd"
    empty.touch()
    assert why_not(media[0], empty, "tcg", NONE, SLOW) == ENDED


def test_an_accelerator_that_is_not_there_is_told_in_qemu_s_words(
    media: tuple[Path, Path],
) -> None:
    assert why_not(*media, NONE) == "-accel nonsense: invalid accelerator nonsense"


def test_what_qemu_warns_of_is_no_reason() -> None:
    warning = "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H\n"
    failed = "qemu-system-x86_64: failed to initialize kvm: Permission denied\n"
    assert reason(failed + warning) == "failed to initialize kvm: Permission denied"
    assert reason(warning) == ENDED


def test_one_that_is_slower_than_emulation_is_no_use(media: tuple[Path, Path]) -> None:
    with ThreadPoolExecutor() as pool:
        why = pool.submit(why_not, *media, OTHER, "tcg", SLOW)
        await_true(lambda: bool(machines(OTHER)))
        (slow,) = machines(OTHER)
        os.kill(slow, signal.SIGSTOP)
        said = why.result()
    start = f"a machine that was started with {OTHER} had not booted after "
    assert said.startswith(start)
    assert said.endswith(" s, when one that was emulated had")
    assert machines(OTHER) == []


def test_a_machine_that_says_nothing_is_not_waited_for_long(media: tuple[Path, Path]) -> None:
    assert why_not(*media, "tcg", seconds=0.001) == (
        "a machine that was started with tcg did not boot in 0.001 s"
    )


def test_machines_die_with_who_tries(media: tuple[Path, Path]) -> None:
    code = f"""
from pathlib import Path
from threerc.testbed.kvm import reason, why_not
why_not(Path({str(media[0])!r}), Path({str(media[1])!r}), {OTHER!r}, {OTHER!r}, {SLOW})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as trying:
        await_true(lambda: len(machines(OTHER)) == 2)
        for each in machines(OTHER):
            os.kill(each, signal.SIGSTOP)  # as one that hangs
        trying.kill()
    await_true(lambda: machines(OTHER) == [])


def test_machines_of_iron_use_it_where_they_may(tmp_path: Path) -> None:
    def accelerator(*, kvm: bool) -> str:
        spec = MachineSpec("wn01", "02:00:00:00:07:99", (), 64, (), kvm)
        command = Iron(spec, tmp_path, tmp_path, Network(), lambda *_: None)._command("t1")  # noqa: SLF001
        return command[command.index("-accel") + 1]

    assert accelerator(kvm=True) == "kvm"
    assert accelerator(kvm=False) == "tcg,thread=multi"


def machines(accelerator: str) -> list[int]:
    """The QEMUs that run with this accelerator."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if accelerator in words and words[0].endswith("qemu-system-x86_64"):
            found.append(int(folder.name))
    return found


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
