"""The forced command of ssh, run by a shell: it refuses what is not in its table."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

_NOT_ALLOWED = 126


def _check(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("forced_command"):
        result = staged.run(file, SSH_ORIGINAL_COMMAND="3rc-check")
        if result.returncode != _NOT_ALLOWED or "not allowed here" not in result.stderr:
            said = result.stderr.strip() or f"exit status {result.returncode}"
            yield Failure(path, 0, f"it does not refuse another command: {said}")


CHECKER = Checker("forced_command", "sh", "dash", _check)
