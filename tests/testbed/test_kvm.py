"""KVM is used only where a machine boots with it."""

from __future__ import annotations

from pathlib import Path

from tests.lab import requires_real
from threerc.testbed.iron import Iron
from threerc.testbed.kvm import why_not
from threerc.testbed.network import Network
from threerc.testbed.parts import MachineSpec

pytestmark = requires_real()


def test_a_machine_that_boots_is_the_proof() -> None:
    assert why_not("tcg", seconds=60) == ""


def test_an_accelerator_that_is_not_there_is_told_in_qemu_s_words() -> None:
    assert why_not("nonsense") == "-accel nonsense: invalid accelerator nonsense"


def test_a_machine_that_says_nothing_is_not_waited_for_long() -> None:
    assert why_not("tcg", seconds=0.001) == (
        "a machine that was started with tcg did not boot in 0.001 s"
    )


def test_machines_of_iron_use_it_where_they_may(tmp_path: Path) -> None:
    def accelerator(*, kvm: bool) -> str:
        spec = MachineSpec("wn01", "02:00:00:00:07:99", (), 64, (), kvm)
        command = Iron(spec, tmp_path, tmp_path, Network(), lambda *_: None)._command("t1")  # noqa: SLF001
        return command[command.index("-accel") + 1]

    assert accelerator(kvm=True) == "kvm"
    assert accelerator(kvm=False) == "tcg,thread=multi"
