"""All that is done before the lab is built: a site is read, changed for here, compiled, verified.

The run's folder holds it: `tree`, `site.lock`, `overlay.txt`, `keys`, `disks`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from threerc.compiler.artefacts.controller import controller_config
from threerc.compiler.build import LOCK_NAME, Checked, compile_tree
from threerc.compiler.generation import Generations
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.rules import run as rule_problems
from threerc.compiler.tree import Output, Tree
from threerc.compiler.verify import verify
from threerc.runtime.config import ControllerConfig
from threerc.testbed.errors import TestbedError
from threerc.testbed.kvm import why_not
from threerc.testbed.layout import layout, node_disk
from threerc.testbed.overlay import overlay
from threerc.testbed.parts import LabSpec
from threerc.testbed.process import program
from threerc.testbed.runs import EVENTS
from threerc.testbed.supplies import Image, KeyPair, Profile, Supplies, outermost, own_folders

Progress = Callable[[str], None]
_DISK: Final = 4 * 2**30
"""Bytes of a disk whose size the site does not tell."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a site is wanted, and how. `vms` is None for all of them; `today` is for serials."""

    today: date
    vms: tuple[str, ...] | None = None
    nodes: tuple[str, ...] = ()
    image: Image = "mini"
    profile: Profile = "thesis"


def wanted(
    vms: str | None = None,
    nodes: str | None = None,
    image: Image = "mini",
    profile: Profile = "thesis",
) -> Wanted:
    """What people ask for today: names with commas between them; `vms` is None for all of them.

    TestbedError where machines are asked for, and none is named: a variable may be unset.
    """
    only = None if vms is None else _names(vms)
    if only == ():
        raise TestbedError("no virtual machine is named; without any name all are brought up")
    return Wanted(datetime.now(UTC).date(), only, _names(nodes or ""), image, profile)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


_WANTED: Final = TypeAdapter(Wanted)
_WANTED_FILE: Final = "wanted.json"


def read_wanted(run: Path) -> Wanted:
    """What was wanted of a run that was prepared. Raises TestbedError."""
    try:
        return _WANTED.validate_json((run / _WANTED_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise TestbedError(f"{run} is no prepared run: {error}") from None


@dataclass(frozen=True, slots=True)
class Media:
    """The image, packed, and what installs it."""

    archive: Path
    kernel: Path
    initrd: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A site that a lab can be built of, and what in it differs from the one that was given."""

    site: Site
    changes: tuple[str, ...]
    config: ControllerConfig
    supplies: Supplies
    spec: LabSpec


def prepare(
    checked: Checked, run: Path, wanted: Wanted, media: Media, progress: Progress
) -> Prepared:
    """Make a run's folder ready for the lab. Raises TestbedError and OutputError."""
    (run / _WANTED_FILE).write_bytes(_WANTED.dump_json(wanted))
    has_machines = checked.site.physical_hosts or wanted.nodes
    no_kvm = _try_kvm(media, progress) if has_machines else "not tried"
    supplies = _supplies(checked.site, run, wanted, media, no_kvm)
    site, changes = overlay(checked.site, supplies)
    _refuse_broken(site, checked.folder)
    (run / "overlay.txt").write_text("".join(f"{each}\n" for each in changes), encoding="utf-8")
    lock = Lock(wanted.today, checked.lock)
    tree = compile_tree(site, lock, checked.folder, progress)
    _write(tree, supplies.tree, progress)
    (run / LOCK_NAME).write_text(lock.dump(), encoding="utf-8")
    out = Output("testbed", Tree(), lock, checked.folder)
    spec = layout(site, out, supplies, wanted.nodes)
    progress("making the machines' disks")
    _make_disks(site, supplies, wanted.nodes)
    config = controller_config(site, out, known_hosts=True)
    return Prepared(site, changes, config, supplies, spec)


def _try_kvm(media: Media, progress: Progress) -> str:
    progress("trying KVM")
    why = why_not(media.kernel, media.initrd)
    progress(f"machines are emulated: {why}" if why else "machines use KVM")
    return why


def check_wanted(site: Site, wanted: Wanted) -> None:
    """TestbedError where something is wanted that the site has not."""
    for name in wanted.vms or ():
        if name not in site.virtual_machines:
            raise TestbedError(f"{site.site} has no virtual machine {name!r}")
    for name in wanted.nodes:
        if name not in site.worker_nodes:
            raise TestbedError(f"{site.site} has no worker node {name!r}")


def _refuse_broken(site: Site, folder: Path) -> None:
    """The changes may not break a rule that the site itself keeps."""
    said = [f"{rule.id}: {problem.message}" for rule, problem in rule_problems(site, folder)
            if (problem.severity or rule.severity) == "error"]  # fmt: skip
    if said:
        raise TestbedError(
            "the site does not hold together as it is built here:\n" + "\n".join(said)
        )


def _write(tree: Tree, out: Path, progress: Progress) -> None:
    """The tree on the disk, after the daemons' own checkers have taken it."""
    if tree.left_out:
        lines = [f"{each.path}: {each.reason}" for each in tree.left_out]
        raise TestbedError("not all of the site can be built on this machine:\n" + "\n".join(lines))
    generations = Generations(out)
    with generations.staged(tree.entries) as stage:
        failures = [f for verdict in verify(stage, tree, progress) for f in verdict.failures]
        if failures:
            lines = [f"{each.path}: {each.message}" for each in failures]
            raise TestbedError("compiled files are refused by their daemons:\n" + "\n".join(lines))
        generations.switch(stage)


# -- supplies


def _supplies(site: Site, run: Path, wanted: Wanted, media: Media, no_kvm: str) -> Supplies:
    vms = tuple(site.virtual_machines) if wanted.vms is None else wanted.vms
    keyed = [*site.physical_hosts, *site.service_hosts, *vms, *wanted.nodes]
    pairs = key_pairs(run / "keys", ["identity", *(f"host-{name}" for name in keyed)])
    for folder in ("disks", "volumes", "consoles"):
        (run / folder).mkdir(exist_ok=True)
    (run / EVENTS).touch(0o600)
    return Supplies(
        run=run,
        python=Path(sys.executable),
        visible=outermost(path for path in own_folders() if not path.is_relative_to("/usr")),
        archive=media.archive,
        kernel=media.kernel,
        initrd=media.initrd,
        identity=pairs["identity"],
        host_keys={name: pairs[f"host-{name}"] for name in keyed},
        board_password=secrets.token_hex(8),
        vms=vms,
        image=wanted.image,
        profile=wanted.profile,
        no_kvm=no_kvm,
    )


def key_pairs(folder: Path, names: Iterable[str]) -> dict[str, KeyPair]:
    """New ssh keys, each in a file of its own. Raises TestbedError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    keygen = program("ssh-keygen")
    found: dict[str, KeyPair] = {}
    for name in names:
        path = folder / name
        path.unlink(missing_ok=True)
        _call([keygen, "-q", "-t", "ed25519", "-N", "", "-C", f"testbed {name}", "-f", str(path)])
        public = path.with_name(f"{name}.pub").read_text(encoding="ascii").strip()
        found[name] = KeyPair(path.read_text(encoding="ascii"), public)
    return found


def _make_disks(site: Site, supplies: Supplies, nodes: Iterable[str]) -> None:
    """Empty disks: of virtual machines that are on no mirrored volume, and of worker nodes."""
    qemu_img = program("qemu-img")
    for name, vm in site.virtual_machines.items():
        if vm.volume is None:
            path = supplies.disks / f"{name}.qcow2"
            _call([qemu_img, "create", "-q", "-f", "qcow2", str(path), str(int(vm.disk or _DISK))])
    for name in nodes:
        node = site.worker_nodes[name]
        for number in range(len(node.dual_boot.disks) if node.dual_boot else 1):
            with node_disk(supplies, name, number).open("wb") as disk:
                os.truncate(disk.fileno(), _DISK)


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TestbedError(f"{Path(command[0]).name}: {done.stderr.strip()}")
