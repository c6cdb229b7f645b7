"""gmond.conf by `gmond -m`, and gmetad.conf by gmetad, which ends before it serves anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from threerc.compiler.verify.base import Checker, Failure, Staged

_COMPLAINT = re.compile(r"^(?:\S+:\d+: )?(.+)$", re.MULTILINE)
_OPTION = re.compile(r"option '(\w+)'")
# gmetad has no check mode. Without its folder of graphs it ends, after it has read everything.
_NO_FOLDER = 'setuid off\nwrite_rrds on\nrrd_rootdir "{}"\n'
_READ = "Please make sure that {} exists"
_MOST_ARGUMENTS = 15
_LONGEST_LINE = 1023


def _check_gmond(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("ganglia"):
        if path.endswith("/gmetad.conf") or not path.endswith(".conf"):
            continue
        result = staged.run("-c", file, "-m")
        if result.returncode:
            found = _COMPLAINT.search(result.stderr)
            message = found[1] if found else f"gmond ended with status {result.returncode}"
            yield Failure(path, _line(file.read_text(encoding="utf-8"), message), message)


def _line(text: str, message: str) -> int:
    """The first line with the option that gmond complains of: it miscounts lines itself."""
    option = _OPTION.search(message)
    if option is None:
        return 0
    place = re.search(rf"^[^#\n]*\b{option[1]}\b", text, re.MULTILINE)
    return text.count("\n", 0, place.start()) + 1 if place else 0


def _check_gmetad(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("ganglia"):
        if path.endswith("/gmetad.conf"):
            text = file.read_text(encoding="utf-8")
            yield from _misread(path, text)
            with TemporaryDirectory() as folder:
                yield from _try(staged, path, text, Path(folder))


def _try(staged: Staged, path: str, text: str, folder: Path) -> Iterator[Failure]:
    """Let gmetad read a copy, as far as the folder of graphs that is not there."""
    copy, graphs = folder / "gmetad.conf", folder / "none"
    copy.write_text(text + _NO_FOLDER.format(graphs), encoding="utf-8")
    result = staged.run("-c", copy, "-d", "1")
    complaints = [line for line in result.stderr.splitlines() if line.strip()]
    if complaints and complaints[-1].startswith(_READ.format(graphs)):
        complaints.pop()
    elif not complaints:
        complaints.append(f"gmetad ended with status {result.returncode}")
    for complaint in complaints:
        yield Failure(path, 0, complaint.replace(str(copy), path))


def _misread(path: str, text: str) -> Iterator[Failure]:
    """What gmetad takes without a word and reads otherwise than it is meant."""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line.encode()) > _LONGEST_LINE:
            yield Failure(path, number, f"longer than {_LONGEST_LINE} bytes")
        arguments = re.findall(r'"[^"]*"|[^\s"]+', line)[1:]
        if not line.startswith("#") and len(arguments) > _MOST_ARGUMENTS:
            yield Failure(path, number, f"more than {_MOST_ARGUMENTS} arguments")


CHECKERS = (
    Checker("ganglia", "gmond", "ganglia-monitor", _check_gmond),
    Checker("ganglia", "gmetad", "gmetad", _check_gmetad),
)
