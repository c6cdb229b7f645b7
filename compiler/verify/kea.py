"""Kea's files, by `kea-dhcp4 -t` and `kea-dhcp6 -t`.

Kea looks for the interfaces and libraries that they name where it runs. What is checked is a copy
without the interfaces, which are another host's, and with this machine's libraries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from threerc.compiler.verify.base import CannotRun, Checker, Failure, Staged

_COMPLAINT = re.compile(r"Error encountered: (.*)")
_INTERFACE = re.compile(r'"interface": "[^"]*",')
_LIBRARY = re.compile(r'"library": "[^"]*/([^"/]*)"')
_LIBRARIES = ("*/kea/hooks", "kea/hooks")


def _check(name: str, staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("kea"):
        if file.name != name:
            continue
        with NamedTemporaryFile("w", encoding="utf-8", suffix=".conf") as copy:
            copy.write(_of_this_machine(file.read_text(encoding="utf-8")))
            copy.flush()
            result = staged.run(
                *("-t", copy.name), KEA_LOGGER_DESTINATION="stderr", KEA_LOCKFILE_DIR="none"
            )
            if result.returncode:
                said = f"{result.stdout}\n{result.stderr}"
                yield _failure(path, said, copy.name)


def _of_this_machine(text: str) -> str:
    """The text with all lines where they were. Raises CannotRun where a library is missing."""
    return _LIBRARY.sub(
        lambda match: f'"library": "{_library(match[1])}"', _INTERFACE.sub("", text)
    )


def _library(name: str) -> Path:
    roots = (Path("/usr/lib"), Path("/usr/lib64"))
    found = [path for root in roots for each in _LIBRARIES for path in root.glob(f"{each}/{name}")]
    if not found:
        raise CannotRun(f"{name} not found (Debian: kea-common)")
    return found[0]


def _failure(path: str, said: str, checked: str) -> Failure:
    """What Kea said, with the place that it names in the file that was checked."""
    complaint = _COMPLAINT.search(said)
    message = complaint[1] if complaint else said.strip()
    named = re.compile(rf" ?\(?{re.escape(checked)}:(\d+)[0-9:.-]*\)?(?:: )?")
    place = named.search(message)
    return Failure(path, int(place[1]) if place else 0, named.sub("", message))


def _of(name: str) -> Callable[[Staged], Iterator[Failure]]:
    return partial(_check, name)


CHECKERS = (
    Checker("kea", "kea-dhcp4", "kea-dhcp4-server", _of("kea-dhcp4.conf")),
    Checker("kea", "kea-dhcp6", "kea-dhcp6-server", _of("kea-dhcp6.conf")),
)
