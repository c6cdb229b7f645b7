"""Findings: what is wrong, where, by which rule, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong with a site."""

    place: Place
    message: str
    rule: str
    hint: str = ""
    severity: Severity = "error"


class ThreeRcError(Exception):
    """Root of all errors that are a user's to mend: one line, no traceback."""


class Rejected(ThreeRcError):
    """The site has findings that forbid going on."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings
