"""The service side of examples/ci, up: no machine is installed, and the media may be anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compiler.support import ROOT, TODAY
from threerc.compiler.build import check
from threerc.testbed import client, runs
from threerc.testbed.client import Testbed
from threerc.testbed.prepare import Media, Wanted, prepare
from threerc.testbed.supplies import Profile

SITE = ROOT / "examples/ci/site.yaml"


@contextmanager
def running(
    folder: Path, profile: Profile, site: Path = SITE, vms: tuple[str, ...] | None = None
) -> Iterator[Testbed]:
    """The site within the block; `folder` is new, `vms` are those that the controllers know."""
    media = Media(folder / "image", folder / "vmlinuz", folder / "initrd")
    for path in (media.archive, media.kernel, media.initrd):
        path.write_text(path.name, encoding="ascii")
    wanted = Wanted(TODAY, profile=profile, vms=vms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with runs.create("ci") as (run, lock):
            made = prepare(check(site), run.folder, wanted, media, lambda _: None)
            with client.start(made.spec, run, lock) as held:
                up = held.let_go()
        try:
            yield up
        finally:
            up.down()
