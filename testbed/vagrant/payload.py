"""What makes a machine the host that it is: a tar archive of its compiled folder and its own files.

Links and modes are kept; all is root's where a `Lay` says nothing else. The machine's own tar finds
users by their names.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from threerc.testbed.parts import Lay
from threerc.testbed.vagrant.parts import Machine


def write_payload(machine: Machine, file: Path) -> None:
    """Write a machine's archive, readable by its owner only: there are keys in it.

    Raises OSError.
    """
    file.touch(0o600)
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as archive:
        laid = {each.path: each for each in machine.files}
        for path, source in _compiled(machine.tree):
            if path not in laid:
                _add(archive, archive.gettarinfo(source, path.lstrip("/")), source)
        for lay in laid.values():
            _lay(archive, lay)


def _compiled(tree: Path | None) -> Iterator[tuple[str, Path]]:
    """The files and links of a compiled folder, by their path on the host."""
    if tree is None:
        return
    root = tree.resolve()
    for source in sorted(root.rglob("*")):
        if source.is_symlink() or not source.is_dir():
            yield f"/{source.relative_to(root)}", source


def _lay(archive: tarfile.TarFile, lay: Lay) -> None:
    if lay.source is not None:
        info = archive.gettarinfo(lay.source, lay.path.lstrip("/"))
        info.mode = lay.mode
        _add(archive, info, lay.source, lay.owner)
        return
    content = (lay.text or "").encode()
    info = tarfile.TarInfo(lay.path.lstrip("/"))
    info.mode, info.size = lay.mode, len(content)
    _own(info, lay.owner)
    archive.addfile(info, io.BytesIO(content))


def _add(
    archive: tarfile.TarFile, info: tarfile.TarInfo, source: Path, owner: str = "root"
) -> None:
    info.type = tarfile.REGTYPE if info.islnk() else info.type
    _own(info, owner)
    if not info.isreg():
        archive.addfile(info)
        return
    info.size = source.stat().st_size
    with source.open("rb") as content:
        archive.addfile(info, content)


def _own(info: tarfile.TarInfo, owner: str) -> None:
    user, _, group = owner.partition(":")
    info.uid, info.gid, info.uname, info.gname = 0, 0, user, group or user
