"""Middleware: what the post-install runs after the operating system is there."""

from __future__ import annotations

from pydantic import Field

from threerc.compiler.model.types import Line, Model, RelativePath, Url, Word


class Middleware(Model):
    """One role's software. Its name is HINFO's second string (thesis 5.6)."""

    scripts: tuple[Url | RelativePath, ...] = Field(
        default=(),
        description="What the post-install runs, in this order: files beside site.yaml, which "
        "the install server then serves, or URLs.",
        examples=[["middleware/wn.sh"]],
    )
    requires: tuple[Word, ...] = Field(
        default=(), description="Middleware that has to be installed first."
    )
    description: Line = Field(default="", description="For people.")
