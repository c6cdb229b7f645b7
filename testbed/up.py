"""From a site's file to a site that runs: what `3rc testbed up` and tests of a site begin with.

with bring_up(check(Path("site.yaml")), wanted(), Reporter()) as held:
    held.testbed.power("alfa01", "off")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threerc.compiler.build import Checked
from threerc.testbed import client, needs, runs
from threerc.testbed.client import Held
from threerc.testbed.errors import TestbedError
from threerc.testbed.images import Images, default_cache
from threerc.testbed.machines import Machines
from threerc.testbed.parts import LabSpec
from threerc.testbed.prepare import Media, Wanted, check_wanted, prepare
from threerc.testbed.progress import Reporter
from threerc.testbed.runs import Run


@contextmanager
def bring_up(
    checked: Checked, wanted: Wanted, reporter: Reporter, work: Path | None = None
) -> Iterator[Held]:
    """A site within the block: compiled, its machines installed, its controllers at work.

    It ends with the block, and with this process, unless it is let go; then nothing of it is
    left. After a TestbedError its logs are, until `clean`. Raises TestbedError and OutputError.
    """
    needs.check_machine()  # before all that takes long
    check_wanted(checked.site, wanted)
    if not checked.site.with_role("controller"):
        raise TestbedError(
            f"{checked.site.site} has no controller: nobody would start its machines"
        )
    needs.check_site(checked.site, wanted)
    needs.check_size(checked.site, wanted, work or runs.base())
    with runs.create(checked.site.site, work) as (run, lock):
        kept = False
        try:
            spec = _prepared(checked, run, wanted, reporter)
            with client.start(spec, run, lock, reporter) as held:
                try:
                    with _starting(run):
                        Machines.of(held.testbed).first_start(reporter)
                    yield held
                finally:
                    kept = held.is_free
        except TestbedError as error:
            kept = True
            raise TestbedError(
                f"{error}\nLogs are in {run.logs} until `3rc testbed clean`"
            ) from None
        finally:
            if not kept:
                run.remove()


@contextmanager
def _starting(run: Run) -> Iterator[None]:
    """Nobody is to crash its machines meanwhile. TestbedError where that cannot be noted."""
    try:
        run.starting.touch()
    except OSError as error:
        raise TestbedError(f"{run.folder}: {error.strerror}") from None
    yield
    run.starting.unlink()


def _prepared(checked: Checked, run: Run, wanted: Wanted, reporter: Reporter) -> LabSpec:
    reporter.step("images")
    images = Images.of(wanted.image, cache=default_cache(), say=reporter.step)
    media = Media(images.image, images.kernel, images.initrd)
    try:
        prepared = prepare(checked, run.folder, wanted, media, reporter.step)
    except OSError as error:
        raise TestbedError(f"{run.folder}: {error}") from None
    reporter.end_step()
    for change in prepared.changes:
        reporter.done(f"other than in the site: {change}")
    addresses = {name: str(h.address) for name, h in prepared.site.hosts.items() if h.address}
    run.write_addresses(addresses)
    return prepared.spec
