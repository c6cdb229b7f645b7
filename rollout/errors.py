"""Why a tree is not applied."""

from __future__ import annotations

from threerc.compiler.findings import ThreeRcError


class RolloutError(ThreeRcError):
    """A tree cannot be applied; the text says why and what to do."""
