"""What these tests share: sites that 3RC compiled, as files to import, and text as files."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.compiler.support import ROOT, TODAY
from threerc.compiler import lock as locking
from threerc.compiler.build import Options, build, check, compile_tree
from threerc.compiler.findings import Finding
from threerc.compiler.importing import run
from threerc.compiler.importing.facts import Facts
from threerc.compiler.importing.run import Sources
from threerc.compiler.importing.verifying import Comparison


def written(folder: Path, **files: str) -> dict[str, Path]:
    """Texts (dedented) as files; `__` in a name is a dot."""
    found: dict[str, Path] = {}
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        found[name] = path
    return found


def example(name: str, folder: Path) -> Sources:
    """The files of a compiled example, with the first server's own configuration."""
    path = ROOT / "examples" / name / "site.yaml"
    checked = check(path)
    site = checked.site
    tree = compile_tree(site, locking.load(path.parent / "site.lock", TODAY), checked.folder)
    for file, entry in tree.entries.items():
        at = folder / file
        at.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is None:
            at.write_bytes(entry.content)
        else:
            at.symlink_to(entry.target)
    bind = folder / site.with_role("dns")[0].name / "etc/bind"
    zones = {p.name.removeprefix("db.").removesuffix(".internal"): p for p in bind.glob("db.*")}
    definitions = next(iter(folder.glob("*/var/spool/ha/hosts.def")), None)
    return Sources(
        dhcpd=[folder / site.with_role("dhcp")[0].name / "etc/dhcp/dhcpd.conf"],
        zones=sorted((name.removesuffix(".zone"), p) for name, p in zones.items()),
        pxelinux=folder / site.with_role("tftp")[0].name / "srv/tftp/pxelinux.cfg",
        hosts_def=definitions,
        drbd=sorted(folder.glob("*/etc/drbd.d/*.res")),
    )


def imported(sources: Sources, folder: Path) -> tuple[Facts, Path, Comparison]:
    """Files imported, built with all daemons' checkers, and compared."""
    facts = run.read(sources)
    folder.mkdir(parents=True, exist_ok=True)
    site = folder / "site.yaml"
    site.write_text(run.write(facts), encoding="utf-8")
    build(site, Options(folder / "out", TODAY))
    return facts, site, run.verify(facts, site, TODAY)


def told(facts: Facts) -> list[str]:
    """What could not be expressed, as `file:line: reason` without the folder."""
    found: list[Finding] = run.findings(facts)
    return [f"{Path(f.place.file).name}:{f.place.line}: {f.message}" for f in found]
