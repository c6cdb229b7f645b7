"""What the tests of roll-outs share: a small site in a folder, built and applied."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from click.testing import CliRunner, Result

from tests.compiler.support import HEAD, TODAY
from threerc.compiler.build import Options, build
from threerc.rollout import cli

SITE: Final = (
    HEAD
    + """\
os_profiles:
  debian: {installer: preseed, kernel: linux, initrd: initrd.gz, repository: "http://d/debian"}
service_hosts:
  bibe: {address: 192.168.1.10, roles: [dhcp, dns, tftp, install]}
  bussolo: {address: 192.168.1.9, roles: [dns]}
worker_nodes:
  wn1: {address: 192.168.1.101, mac: "02:00:00:00:01:01", os: debian}
  wn2: {address: 192.168.1.102, mac: "02:00:00:00:01:02", os: debian}
  wn3: {address: 192.168.1.103, mac: "02:00:00:00:01:03", os: debian}
"""
)
MORE: Final = '  wn4: {address: 192.168.1.104, mac: "02:00:00:00:01:04", os: debian}\n'
"""One more host for the site."""
LINK: Final = "srv/tftp/pxelinux.cfg/C0A80165"
"""What wn1 boots."""


@dataclass(frozen=True)
class Rolling:
    """A site in a folder: site.yaml, its tree in `out`, its hosts' file systems in `root`."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def build(self, text: str) -> None:
        """Build a site of that text."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "site.yaml").write_text(text, encoding="utf-8")
        build(self.folder / "site.yaml", Options(self.out, TODAY, verify=False))

    def apply(self, *arguments: str) -> Result:
        """`3rc apply` to the folders."""
        return invoke("apply", str(self.out), "--root", str(self.root), *arguments)

    def good(self, *arguments: str) -> str:
        """The output of an apply that has to succeed."""
        done = self.apply(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    def text(self, path: str) -> str:
        """A file of a host, by `<host>/<path>`."""
        return (self.root / path).read_text(encoding="utf-8")

    def is_applied(self) -> bool:
        """Whether all hosts have what the tree says, and nothing else lies about."""
        return self.has(self.out) and not leftovers(self.root)

    def has(self, tree: Path) -> bool:
        """Whether all hosts have what a tree says."""
        return all(
            _same(path, self.root / path.relative_to(tree))
            for path in tree.rglob("*")
            if path.parent != tree and (path.is_symlink() or path.is_file())
        )


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink():
        return other.is_symlink() and os.readlink(one) == os.readlink(other)
    return other.is_file() and one.read_bytes() == other.read_bytes()


def leftovers(root: Path) -> list[Path]:
    """What an apply left beside files, or in its own folders."""
    found = [*root.rglob(".*.3rc-*")]
    for name in ("journal.json", "next.json", "staged"):
        found += root.rglob(f"var/lib/3rc/applied/{name}")
    return found


def invoke(name: str, *arguments: str) -> Result:
    """A command of the roll-out."""
    command = next(each for each in cli.COMMANDS if each.name == name)
    return CliRunner().invoke(command, list(arguments))


def tamper(out: Path, path: str, text: str, mode: str | None = None) -> None:
    """Change a file of a tree and its manifest, as a compiler with a bug would."""
    (out / path).write_text(text)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest[path]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    if mode is not None:
        manifest[path]["mode"] = mode
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in manifest.items())
    (out / "manifest.json").write_text("{\n" + lines + "\n}\n")
