"""The images that the testbed installs, made from Debian packages, and the installer's own files.

    images = Images.of("mini", cache=Path("/var/cache/3rc"), say=print)
    images.kernel, images.initrd, images.image

Packages are those that this machine's own apt knows and has the keys of. What is made is kept in
the cache under a digest of the package versions and of the recipe, so that the same is made once,
needs no network from then on, and has the same bytes on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from threerc.testbed.images.cache import Cache, ImageError, Recipe
from threerc.testbed.images.debian import DEBIAN
from threerc.testbed.images.installer import INSTALLER
from threerc.testbed.images.mini import MINI

__all__ = ["ImageError", "ImageName", "Images", "default_cache"]

ImageName = Literal["mini", "debian"]
_RECIPES: Final[Mapping[ImageName, Recipe]] = {"mini": MINI, "debian": DEBIAN}


@dataclass(frozen=True, slots=True)
class Images:
    """What a machine needs to be installed: the installer's kernel and initrd, and the image."""

    kernel: Path
    initrd: Path
    image: Path

    @classmethod
    def of(cls, name: ImageName, *, cache: Path, say: Callable[[str], None]) -> Images:
        """Take them from the cache, or make them; `say` is told what takes long.

        Raises ImageError when apt does not know the packages, or cannot fetch them.
        """
        kept = Cache(cache.absolute(), say)
        kernel, initrd = kept.get(INSTALLER)
        (image,) = kept.get(_RECIPES[name])
        return cls(kernel, initrd, image)


def default_cache() -> Path:
    """Where images are kept when nothing else is asked for (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "3rc/images"
