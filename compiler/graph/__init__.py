"""A drawing of a site: networks, service hosts, physical hosts with their VMs, worker nodes."""

from __future__ import annotations

from threerc.compiler.model import Site


def draw(site: Site, suffix: str) -> str:
    """The site as text of the format that a file suffix stands for: .svg, .mmd or .dot.

    The same site gives the same text always. Raises ValueError for another suffix.
    """
    from threerc.compiler.graph import dot, mermaid, survey, svg  # noqa: PLC0415 - few builds draw

    emitters = {".svg": svg.emit, ".mmd": mermaid.emit, ".dot": dot.emit}
    if suffix not in emitters:
        raise ValueError(f"a drawing ends in {', '.join(emitters)}, not in {suffix!r}")
    return emitters[suffix](survey.survey(site))
