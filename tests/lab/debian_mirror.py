"""All that an installation by Debian's installer takes from a mirror, in the mirror of a release.

These are the installer's parts (udebs) and the packages of the new system. Where a part is not to
be had, no installation is possible, and that is said with the names of all such parts.

Source: anna and net-retriever in the installer, debootstrap(8), tasksel(8), grub-installer.
"""

import gzip
import lzma
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tests.lab.debian import PACKAGES_INDEX, PARTS_INDEX, Debian, Wanted, fetch, run
from tests.lab.process import LabError

Entry = dict[str, str]
"""A package in an index, or in a status file: its fields."""

_URGENT: Final = ("required", "important", "standard")
# What the installer's parts install besides what has such a priority: the kernel, the boot loader
# of a BIOS, the keyboard and the language, and what they find useful on a machine of QEMU.
_INSTALLED: Final = (
    *("linux-image-amd64", "initramfs-tools", "usr-is-merged", "busybox"),
    *("grub-pc", "os-prober"),
    *("console-setup", "keyboard-configuration", "locales", "task-english"),
    *("tasksel", "laptop-detect", "popularity-contest", "installation-report", "eject"),
    *("qemu-guest-agent", "ca-certificates", "usbutils", "pciutils", "sudo"),
)
_CPIO_HEADER: Final = 110
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


def complete(release: Debian, cache: Path, packages: Iterable[str]) -> None:
    """Fetch to the mirror what an installation with these packages takes from it.

    Raises LabError where apt cannot fetch it; if that is a part of the installer, before all else.
    """
    wanted = parts(release)
    names = {each.path: name for name, each in wanted.items()}
    missing = sorted(names[each.path] for each in fetch(release, wanted.values()))
    if missing:
        raise LabError(
            f"apt cannot fetch {len(missing)} of the {len(wanted)} parts of the installer: "
            + " ".join(missing)
        )
    lost = fetch(release, _system(release, cache, packages))
    if lost:
        raise LabError("apt cannot fetch " + " ".join(each.path for each in lost))


def parts(release: Debian) -> dict[str, Wanted]:
    """The parts that the installer loads from a mirror, by name.

    These are all that are standard and that its initrd lacks, and what they depend on.
    """
    there = list(_entries(_initrd_status(release.installer / "initrd.gz")))
    kernel = next(
        found[1] for each in there if (found := re.search(r"-(\d[\w.-]*)-di$", each["Package"]))
    )
    index = {
        each["Package"]: each
        for each in _indexed(release, PARTS_INDEX)
        if each.get("Kernel-Version", kernel) == kernel
    }
    providers = _providers(index.values())
    loaded = set(_providers(there))
    chosen: dict[str, Wanted] = {}
    open_ends = [name for name, each in index.items() if each["Priority"] in _URGENT]
    while open_ends:
        name = open_ends.pop(0)
        if name in loaded:
            continue
        # Of those that provide a name anna takes one; that there is one is what counts here.
        name = name if name in index else providers.get(name, [name])[0]
        if name not in index:
            raise LabError(f"the installer needs {name}, which the archive does not have")
        entry = index[name]
        loaded |= {name, *_names(entry.get("Provides", ""))}
        chosen[name] = Wanted(entry["Filename"], entry["SHA256"])
        open_ends += _names(entry.get("Depends", ""))
    return chosen


def _system(release: Debian, cache: Path, packages: Iterable[str]) -> list[Wanted]:
    """The packages of the new system, as apt chooses them for an empty machine."""
    index = _indexed(release, PACKAGES_INDEX)
    urgent = [each["Package"] for each in index if each["Priority"] in _URGENT]
    apt = _apt(release, cache)
    run([*apt, "update"])
    command = [*apt, "-y", "--print-uris", "install", *urgent, *_INSTALLED, *packages]
    found = re.findall(r"^'copy:(\S+)' \S+ \d+ SHA256:(\w+)$", run(command), re.MULTILINE)
    # What apt prints is where it would find the package, which is not there yet.
    root = f"{release.mirror}/"
    return [Wanted(unquote(path).removeprefix(root), digest) for path, digest in found]


def _apt(release: Debian, cache: Path) -> list[str]:
    """apt-get with nothing installed, and with the mirror alone, whose signature it checks."""
    folder = cache / "apt"
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by={_KEYRING} arch=amd64] copy:{release.mirror} {release.suite} main\n"
    (folder / "sources.list").write_text(source)
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder,
        "APT::Sandbox::User": "",
        "APT::Architecture": "amd64",
        "APT::Install-Recommends": "1",
        # As in the new system: what the Release promises, and the mirror lacks, is an error there.
        "Acquire::Languages": "en",
        "Acquire::ForceHash": "SHA256",
        "Debug::NoLocking": "1",
    }
    return ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]


def _initrd_status(initrd: Path) -> str:
    """What the installer's initrd says that it has. Source: kernel.org, buffer-format (newc)."""
    archive = gzip.decompress(initrd.read_bytes())
    at = 0
    while archive[at : at + 6] == b"070701":
        size, length = (int(archive[at + n : at + n + 8], 16) for n in (54, 94))
        name = archive[at + _CPIO_HEADER : at + _CPIO_HEADER + length - 1]
        content = -(-(at + _CPIO_HEADER + length) // 4) * 4
        if name in (b"var/lib/dpkg/status", b"./var/lib/dpkg/status"):
            return archive[content : content + size].decode()
        at = -(-(content + size) // 4) * 4
    raise LabError(f"{initrd} has no list of its parts")


def _indexed(release: Debian, name: str) -> Iterator[Entry]:
    """The packages of one of the mirror's indexes."""
    return _entries(lzma.decompress(release.at(name).read_bytes()).decode())


def _entries(text: str) -> Iterator[Entry]:
    """The packages of an index: first lines of their fields."""
    for paragraph in text.split("\n\n"):
        found = re.findall(r"^([\w-]+): *(.*)$", paragraph, re.MULTILINE)
        if found:
            yield dict(found)


def _names(relation: str) -> list[str]:
    """The names in a list of dependencies: the first of each choice, without its version."""
    return re.findall(r"(?:^|,)\s*([\w.+-]+)", relation)


def _providers(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Who has or provides which name."""
    found: dict[str, list[str]] = {}
    for each in entries:
        for name in (each["Package"], *_names(each.get("Provides", ""))):
            found.setdefault(name, []).append(each["Package"])
    return found
