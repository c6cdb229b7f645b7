"""What git says of the repository that a site is in. Source: git(1)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from threerc.compiler.plan.errors import PlanError

_SECONDS: Final = 60


def git(folder: Path, *arguments: str, failing: str = "", literal: bool = True) -> bytes:
    """What a command of git's says in a folder.

    Paths are taken as they are, unless they are not `literal` but patterns. Raises PlanError where
    it fails, as `failing` or in git's own words.
    """
    pathspecs = "--literal-pathspecs" if literal else "--no-literal-pathspecs"
    command = ["git", pathspecs, "-C", str(folder), *arguments]
    spoken = os.environ | {"LC_ALL": "C"}  # some of its words are looked at
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, env=spoken
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlanError(f"git: {error}") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise PlanError(failing or f"git {arguments[0]}: {said or 'failed'}")
    return done.stdout
