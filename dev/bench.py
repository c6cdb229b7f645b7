"""Measure what we promise about speed, and write docs/performance.md.

Every figure is a whole process on one core: the median of several runs, and its ratio to loading
the same hosts, written out one by one, with PyYAML's C loader. `make bench` runs it.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bench_controller

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/performance.md"
BIN = Path(sys.executable).parent
LOADER = "import sys, yaml; yaml.load(open(sys.argv[1], encoding='utf-8'), Loader=yaml.CSafeLoader)"
SIZES = {1_000: 7, 4_000: 7, 10_000: 5, 100_000: 3}
CHANGES = 3
"""Exit status of a plan by which something changes."""
# As it is on a user's machine: Python keeps what it has compiled.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


@dataclass(frozen=True)
class Figure:
    """The medians of one command: wall and CPU seconds, peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[str | Path], *, status: int = 0) -> Figure:
    """Run a command once, on one core; it has to exit with that status."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        env=ENVIRONMENT,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
    )
    _, ended, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(ended)
    if child.returncode != status:
        raise SystemExit(f"{command} exited with {child.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Figure(time.perf_counter() - start, cpu, usage.ru_maxrss / 1024)


def median(figures: Sequence[Figure]) -> Figure:
    """The median of each of the figures."""
    return Figure(
        statistics.median(f.wall for f in figures),
        statistics.median(f.cpu for f in figures),
        statistics.median(f.memory for f in figures),
    )


def measure(folder: Path, nodes: int, runs: int) -> list[str]:
    """The rows of the table for a site of that size."""
    plain, expanded = folder / "plain", folder / "expanded"
    for place, options in ((plain, []), (expanded, ["--expanded"])):
        place.mkdir(parents=True)
        made = subprocess.run(
            [BIN / "3rc", "init", "--nodes", str(nodes), *options],
            check=True,
            capture_output=True,
        )
        (place / "site.yaml").write_bytes(made.stdout)
    changed = folder / "changed.yaml"
    text = (expanded / "site.yaml").read_text(encoding="utf-8")
    build: list[str | Path] = [BIN / "3rc-build", "--no-verify"]
    figures: dict[str, list[Figure]] = {}
    for turn in range(runs + 1):  # the first warms the caches and is not counted
        sites = {
            "PyYAML's C loader, one by one": [sys.executable, "-c", LOADER, expanded / "site.yaml"],
            "3rc-build, as a range": [*build, plain / "site.yaml", "-o", folder / "p"],
            "3rc-build, one by one": [*build, expanded / "site.yaml", "-o", folder / "e"],
        }
        for name, command in sites.items():
            figures.setdefault(name, []).append(run(command))
        mac = f"02:fe:00:00:00:{turn:02x}"
        changed = expanded / "changed.yaml"
        changed.write_text(_change_one(text, mac), encoding="utf-8")
        again = [*build, changed, "-o", folder / "e"]
        figures.setdefault("the same again, one host changed", []).append(run(again))
        changed.write_text(_change_one(text, mac.replace("fe", "fc")), encoding="utf-8")
        plan: list[str | Path] = [BIN / "3rc", "plan", changed, "--against", folder / "e"]
        figures.setdefault("3rc plan, one host changed", []).append(run(plan, status=CHANGES))
        apply = [BIN / "3rc", "apply", folder / "p", "--root", folder / "root"]
        if not turn:
            run(apply)
        figures.setdefault("3rc apply --root, nothing to do", []).append(run(apply))
    medians = {name: median(found[1:]) for name, found in figures.items()}
    reference = next(iter(medians.values()))
    return [_row(nodes, name, found, reference) for name, found in medians.items()]


def _change_one(text: str, mac: str) -> str:
    """The site with another MAC for its last worker node."""
    at = text.rindex("mac: 02:", 0, text.rindex("mac: 02:")) if "mac: 02:" in text else 0
    start = text.index("02:", at)
    return text[:start] + mac + text[start + len(mac) :]


def _row(nodes: int, name: str, figure: Figure, reference: Figure) -> str:
    return (
        f"| {nodes:,} | {name} | {figure.wall:.2f} | {figure.cpu:.2f} | {figure.memory:.0f} "
        f"| {figure.cpu / reference.cpu:.1f} |"
    )


def page(rows: list[str], startup: Figure) -> str:
    """The text of docs/performance.md."""
    versions = f"Python {platform.python_version()}, {platform.machine()}"
    return "\n".join(
        [
            "# Performance",
            "",
            "Written by `make bench`; do not edit. Each figure is the median of whole processes on",
            "one core of a small, shared machine: look at the ratios, not at the seconds. All",
            "artefacts but the dual-boot images are made; the daemons' checkers are left out. Each",
            "build takes the place of one before it, whose tree it removes.",
            "",
            "The reference of each ratio is loading the same hosts, written out one by one, with",
            "PyYAML's C loader (CPU seconds against CPU seconds).",
            "",
            "| worker nodes | command | wall s | CPU s | MiB | ratio |",
            "|---:|---|---:|---:|---:|---:|",
            *rows,
            "",
            "At most: a plan after one changed host 0.5 s at 4,000 hosts and 3 s at 100,000, an",
            "apply without anything to do 5 s at 100,000, and 1.5 GiB. What was read of a large",
            "site file before is in the user's cache, `~/.cache/3rc`, which may be removed.",
            "",
            f"`3rc --help` answers in {startup.wall:.2f} s. ({versions})",
            "",
            "For orientation, measured on such a machine: Cobbler 3.3.10's sync of DHCP, BIND and",
            "PXE took 2.9-4.8 s for 1,000 hosts and 14-18 s for 4,000; octoDNS took 0.53 s and",
            "2.33 s for the zones alone of 1,000 and 5,000 hosts.",
            "",
            "Reproduce one row by hand:",
            "",
            "    3rc init --nodes 10000 --expanded > site.yaml",
            "    taskset -c 0 /usr/bin/time -v 3rc-build --no-verify site.yaml",
            "",
            *bench_controller.section(),
        ]
    )


def main() -> None:
    """Measure all sizes and write the page."""
    rows: list[str] = []
    with tempfile.TemporaryDirectory(prefix="3rc-bench-", dir=ROOT / "dev") as folder:
        for nodes, runs in SIZES.items():
            found = measure(Path(folder) / str(nodes), nodes, runs)
            rows += found
            print("\n".join(found), flush=True)
    startup = median([run([BIN / "3rc", "--help"]) for _ in range(7)])
    PAGE.write_text(page(rows, startup), encoding="utf-8")


if __name__ == "__main__":
    main()
