"""NFS exports: read back by us, and by exportfs in a mount namespace of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from threerc.compiler.verify.base import (
    CannotRun,
    Checker,
    Failure,
    Staged,
    find_program,
    run_program,
)

_CLIENT = re.compile(r"(\S+)\(([a-z_]+(?:=[^,()\s]+)?(?:,[a-z_]+(?:=[^,()\s]+)?)*)\)")
_COMPLAINT = re.compile(r"^exportfs: /etc/exports:(\d+): (.*)$", re.MULTILINE)
_EXPORTING = re.compile(r"^exporting ", re.MULTILINE)

# exportfs knows no check mode: it reads /etc/exports and writes below /var/lib/nfs, so it is given
# both of its own, which nobody else sees.
_PRIVATE = (
    'mount --bind "$1" /etc/exports && mount -t tmpfs none /var/lib/nfs'
    ' && : > /var/lib/nfs/etab && exec "$2" -rv'
)


def _read_back(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("exports"):
        text = file.read_text(encoding="utf-8")
        for number in _entry_lines(text):
            line = text.splitlines()[number - 1]
            yield from (Failure(path, number, message) for message in _line_errors(line))


def _entry_lines(text: str) -> list[int]:
    """The numbers of the lines that hold an entry; exportfs counts these only."""
    lines = enumerate(text.splitlines(), 1)
    return [number for number, line in lines if line and not line.startswith("#")]


def _line_errors(line: str) -> Iterator[str]:
    folder, *clients = line.split(" ")
    if not folder.startswith("/") or not clients:
        yield "not a path and its clients"
    for client in clients:
        match = _CLIENT.fullmatch(client)
        if match is None:
            yield f"`{client}` is not client(options)"
            continue
        try:
            ip_network(match[1])
        except ValueError as error:
            yield f"`{client}`: {error}"


def _exportfs(staged: Staged) -> Iterator[Failure]:
    unshare = find_program("unshare")
    if unshare is None:
        raise CannotRun("unshare not found (Debian: util-linux)")
    for path, file in staged.files("exports"):
        shell = ["--user", "--map-root-user", "--mount", "sh", "-c", _PRIVATE, "sh"]
        result = run_program(unshare, *shell, file.resolve(), staged.program)
        complaints = _COMPLAINT.findall(result.stderr)
        entries = _entry_lines(file.read_text(encoding="utf-8"))
        for count, message in complaints:
            yield Failure(path, dict(enumerate(entries, 1)).get(int(count), 0), message)
        # It exits 1 where a path is not there yet, as on the machine that compiles.
        if not complaints and not _EXPORTING.search(result.stdout):
            raise CannotRun(
                result.stderr.strip().splitlines()[-1] if result.stderr else "no answer"
            )


CHECKERS = (
    Checker("exports", "", "", _read_back),
    Checker("exports", "exportfs", "nfs-kernel-server", _exportfs),
)
