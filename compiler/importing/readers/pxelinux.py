"""A pxelinux.cfg folder into facts: what each of its files and links makes a machine do.

What counts is what is booted when nobody is at the keyboard. Source: syslinux wiki ("PXELINUX",
"Config", "Menu").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from threerc.compiler.findings import Place, ThreeRcError
from threerc.compiler.importing.facts import Boot, BootFile, Facts
from threerc.compiler.importing.readers.text import read_text

_LOCAL = Boot("local")
_DISK = re.compile(r"hd([0-9])(?:,|$)|grub-disk-hd([1-8])\.img$")
_OURS = re.compile(r"OS profile \S+: (.+)")
_MOST_LINKS = 10
_MOST_INCLUDES = 10


@dataclass
class _Label:
    kernel: str = ""
    append: list[str] = field(default_factory=list)
    local: bool = False
    initrd: str = ""


@dataclass
class _Config:
    labels: dict[str, _Label] = field(default_factory=dict)
    default: str = ""
    on_timeout: str = ""
    marked: str = ""
    append: list[str] = field(default_factory=list)
    current: _Label | None = None
    name: str = ""


def read(folder: Path, facts: Facts) -> None:
    """Add all boot files of a folder. Raises ThreeRcError where it is none."""
    if not folder.is_dir():
        raise ThreeRcError(f"{folder}: there is no such folder")
    facts.pxelinux = folder
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~") or path.is_dir():
            continue
        target = _target(path)
        if target is None:
            facts.lose(Place(str(path), 1, 1), "a link that leads to no file of the folder")
            continue
        text = read_text(target)
        boot = _boot_of(_parse(text, folder))
        place = Place(str(path), 1, 1)
        if boot.kind == "other":
            facts.lose(place, f"site.yaml cannot say that a machine boots `{boot}`", text)
        ours = _OURS.match(text.partition("\n")[0].strip("# "))
        about = ours[1] if ours else ""
        facts.boot_files[path.name] = BootFile(path.name, target.name, boot, place, about)


def file_of(files: dict[str, BootFile], mac: str, address: IPv4Address) -> BootFile | None:
    """The file that pxelinux takes for a machine: by its MAC, its address, a part of that."""
    by_mac = f"01-{mac.replace(':', '-')}"
    hexadecimal = f"{int(address):08X}"
    names = [by_mac, *(hexadecimal[:length] for length in range(8, 0, -1)), "default"]
    return next((files[name] for name in names if name in files), None)


def _target(path: Path) -> Path | None:
    """The file that a link leads to; of an absolute one only the name counts, it is a copy."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return path if path.is_file() else None
        to = path.readlink()
        path = path.parent / (to.name if to.is_absolute() else to)
    return None


def _parse(text: str, folder: Path, config: _Config | None = None, depth: int = 0) -> _Config:
    config = config or _Config()
    for key, value in _lines(text):
        if key == "include" and depth < _MOST_INCLUDES:
            beside = folder / Path(value.split()[0]).name if value else folder
            if beside.is_file():
                _parse(read_text(beside), folder, config, depth + 1)
        else:
            _directive(config, key, value)
    return config


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        words = line.strip().split(maxsplit=1)
        if words and not words[0].startswith("#"):
            yield words[0].lower(), words[1].strip() if len(words) > 1 else ""


def _directive(config: _Config, key: str, value: str) -> None:
    label = config.current
    match key:
        case "label":
            config.name = value
            config.current = config.labels.setdefault(value.lower(), _Label())
        case "default":
            config.default = value
        case "ontimeout":
            config.on_timeout = value
        case "menu" if value.lower() == "default":
            config.marked = config.name
        case "append" if label is None:
            config.append = value.split()
        case _ if label is not None:
            _of_a_label(label, key, value)


def _of_a_label(label: _Label, key: str, value: str) -> None:
    match key:
        case "append":
            label.append = [] if value == "-" else value.split()
        case "initrd":
            label.initrd = value
        case "localboot":
            label.local = True
        case "kernel" | "linux" | "com32" | "boot":
            label.kernel = value


def _boot_of(config: _Config) -> Boot:
    """What is booted in the end: of a menu the entry that is taken without a key."""
    chosen = config.on_timeout or config.marked or config.default
    if _is_menu(chosen):
        return Boot("other", "a menu that waits for a person")
    words = chosen.split() or list(config.labels)[:1]
    if not words:
        return Boot("other", "nothing")
    label = config.labels.get(words[0].lower())
    if label is None:
        label = _Label(words[0], words[1:])
    return _of_label(label, config)


def _is_menu(text: str) -> bool:
    first = next(iter(text.split()), "")
    return Path(first).name in {"menu.c32", "vesamenu.c32", "menu", "vesamenu"}


def _of_label(label: _Label, config: _Config) -> Boot:
    append = label.append or config.append
    name = Path(label.kernel).name
    if label.local or name in {"localboot.c32"}:
        return _LOCAL
    if name in {"chain.c32", "chain"}:
        disk = next((m for each in append if (m := _DISK.match(each))), None)
        if disk is None:
            return _LOCAL
        return Boot("disk", str(int(disk[1] or 0) + 1)) if disk[1] != "0" else Boot("disk", "1")
    initrd = label.initrd or next((a[7:] for a in append if a.startswith("initrd=")), "")
    if name in {"memdisk", "memdisk.bin"}:
        match = _DISK.search(initrd)
        return Boot("disk", match[2]) if match and match[2] else Boot("other", label.kernel)
    if not label.kernel or name.endswith((".c32", ".0", ".efi")):
        return Boot("other", label.kernel or "nothing")
    arguments = tuple(each for each in append if not each.startswith("initrd="))
    return Boot("kernel", label.kernel, initrd, arguments)
