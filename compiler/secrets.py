"""Secrets that the compiler has to read: the one place that looks into them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from threerc.compiler.findings import ThreeRcError
from threerc.compiler.model.types import SecretReference

# What crypt(5) writes, or a password that nothing matches.
_HASH = re.compile(r"\$[0-9a-z]+\$[./0-9A-Za-z$=,+-]{16,500}|[!*]")


class SecretMissing(ThreeRcError):
    """A secret cannot be read, or is not of the kind that it has to be."""


def password_hash(reference: SecretReference, read: Callable[[str], bytes]) -> str:
    """The crypt(5) hash that a reference names; `read` gives a file beside site.yaml.

    Raises SecretMissing, whose message never holds the secret.
    """
    where = f"file {reference.file}" if reference.file else f"variable {reference.env}"
    text = _look_up(reference, read, where).strip()
    if not _HASH.fullmatch(text):
        raise SecretMissing(
            f"root_password: {where} holds no password hash, such as `openssl passwd -6` makes"
        )
    return text


def _look_up(reference: SecretReference, read: Callable[[str], bytes], where: str) -> str:
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise SecretMissing(f"root_password: {where} is not set")
        return value
    try:
        return read(reference.file or "").decode("ascii", errors="replace")
    except OSError as error:
        raise SecretMissing(f"root_password: cannot read {where}: {error.strerror}") from None
