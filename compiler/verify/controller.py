"""controller.yaml read through its schema, hosts.def split as the thesis's awk does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from threerc.compiler.verify.base import Checker, Failure, Staged
from threerc.runtime.config import ConfigError, ControllerConfig, load


def _check(staged: Staged) -> Iterator[Failure]:
    files = dict(staged.files("controller"))
    for path, file in files.items():
        if path.endswith("/controller.yaml"):
            try:
                config = load(file)
            except ConfigError as error:
                yield from (Failure(path, 0, line) for line in str(error).splitlines())
                continue
            host = path.partition("/")[0]
            definitions = f"{host}{config.state_directory}/hosts.def"
            if definitions not in files:
                yield Failure(definitions, 0, "is missing")
            else:
                yield from _check_definitions(definitions, files[definitions], config)


def _check_definitions(path: str, file: Path, config: ControllerConfig) -> Iterator[Failure]:
    """Each line of hosts.def, and whether together they name the hosts of controller.yaml."""
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = {n: line.split() for n, line in enumerate(lines, start=1) if not line.startswith("#")}
    failures = [Failure(path, n, why) for n, row in rows.items() if (why := _reason(row))]
    yield from failures
    if failures:
        return
    named = Counter(f"{row[0]} {row[1]}" for row in rows.values())
    expected = Counter(f"PH {name}" for name in config.physical_hosts)
    expected.update(f"VM {name}" for name in config.virtual_machines)
    for name in sorted((named - expected) | (expected - named)):
        number = f"{named[name]} times, and {expected[name]} times in controller.yaml"
        yield Failure(path, 0, f"has {name} {number}")


def _reason(columns: list[str]) -> str:
    """What is wrong with a line of hosts.def; empty if nothing."""
    match columns:
        case ["PH", _, maxl]:
            return "" if maxl.replace(".", "", 1).isdecimal() else f"MAXL is no number: {maxl}"
        case ["VM", _, inst, _, _]:
            return "" if inst in ("0", "1") else f"INST is neither 0 nor 1: {inst}"
        case _:
            return "neither `PH name MAXL` nor `VM name INST OS MW`"


CHECKER = Checker("controller", "", "", _check)
