"""The error of plans."""

from __future__ import annotations

from threerc.compiler.findings import ThreeRcError


class PlanError(ThreeRcError):
    """There is nothing to compare with; the text says why."""
