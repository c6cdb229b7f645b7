"""A site as it was compiled, kept in its tree: what the next plan is compared with.

`site.json` has a line for each noun, so that what has not changed need not be read at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from threerc.compiler.lock import LockData
from threerc.compiler.model import Alike, Host, Site
from threerc.compiler.model.site import SiteSettings

SNAPSHOT: Final = "site.json"
HOST, VOLUME, NETWORK = "host", "volume", "network"
PROFILE, MIDDLEWARE, SETTING = "os_profile", "middleware", "setting"
_TABLES: Final = {"networks": NETWORK, "os_profiles": PROFILE, "middleware": MIDDLEWARE}
_APART: Final = frozenset({"volumes", *_TABLES})


@dataclass(frozen=True)
class Snapshot:
    """Each noun as a line of JSON, by its kind and name. Equal lines are equal nouns."""

    lines: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file."""
        return "{\n" + ",\n".join(f'"{key}": {line}' for key, line in self.lines.items()) + "\n}\n"

    def noun(self, key: str) -> dict[str, Any]:
        """One noun, as far as it differs from the model's defaults."""
        found: dict[str, Any] = json.loads(self.lines[key])
        return found

    def keys(self, kind: str) -> set[str]:
        """The keys of the nouns of a kind."""
        start = f"{kind}/"
        return {key for key in self.lines if key.startswith(start)}


def snapshot(site: Site, lock: LockData) -> Snapshot:
    """The snapshot of a site and of the numbers that were chosen for it."""
    return Snapshot(dict(sorted((*_nouns(site), *_volumes(site, lock)))))


def read(text: str) -> Snapshot:
    """The snapshot that a file is. Raises ValueError where it is none."""
    lines = text.splitlines()
    if len(lines) < 2 or lines[0] != "{" or lines[-1] != "}":
        raise ValueError("no snapshot of a site")
    found: dict[str, str] = {}
    for line in lines[1:-1]:
        key, colon, value = line.removesuffix(",").partition('": ')
        if not colon or not key.startswith('"'):
            raise ValueError(f"no line of a snapshot: {line[:60]}")
        found[key[1:]] = value
    return Snapshot(found)


def _nouns(site: Site) -> Iterator[tuple[str, str]]:
    for part in site.parts:
        if isinstance(part, Alike):
            yield from _alike(part)
        else:
            yield f"{HOST}/{part.name}", _host(part)
    for table, noun_kind in _TABLES.items():
        for name, noun in getattr(site, table).items():
            yield f"{noun_kind}/{name}", noun.model_dump_json(exclude_defaults=True)
    for name in SiteSettings.model_fields:
        if name not in _APART:
            dumped = site.model_dump(mode="json", include={name}, exclude_defaults=True)
            yield f"{SETTING}/{name}", json.dumps(dumped.get(name), sort_keys=True)


def _host(host: Host) -> str:
    mark = f'{{"kind":"{host.kind}",'
    body = host.model_dump_json(exclude_defaults=True, exclude={"name"})
    return mark + body[1:] if body != "{}" else mark[:-1] + "}"


def _alike(alike: Alike) -> Iterator[tuple[str, str]]:
    """The lines of nodes that are alike: that of one of them, with the others' own."""
    example = alike.example
    own = (f'"address":"{example.address}"', f'"mac":"{example.mac}"')
    start, between, end = re.split("|".join(map(re.escape, own)), _host(example))
    for name, address, mac in zip(alike.names, alike.addresses, alike.macs, strict=True):
        yield f"{HOST}/{name}", f'{start}"address":"{address}"{between}"mac":"{mac}"{end}'


def _volumes(site: Site, lock: LockData) -> Iterator[tuple[str, str]]:
    """Volumes with the numbers that they really have."""
    for name, volume in site.volumes.items():
        value = volume.model_dump(mode="json", exclude_defaults=True)
        if name in lock.volumes:
            value |= lock.volumes[name].model_dump()
        yield f"{VOLUME}/{name}", json.dumps(value, sort_keys=True)
