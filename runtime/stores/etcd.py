"""The shared state in etcd, for controllers without a common file system.

    PREFIX/state/vm/gridce   {"nonce": ..., "value": {...}}, or {"nonce": ..., "gone": true}
    PREFIX/vm/gridce         the thesis's line

A version is etcd's own revision of the last change, which only ever grows. A writer whose answer is
lost asks again, with the same nonce and the same version to replace: at most one of the requests
is done, and the nonce tells whether it was. Were keys really deleted, a request that was held up
could bring one back, hence they are `gone` instead.

What a controller notes for itself (`seen/`) hangs on a lease, and vanishes a day after its last
tick. Nothing else does: what was begun must outlive who began it, and operators' words too.

Logs are local files: etcd is no place for them. Each controller has its own.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from threerc.runtime.config import Etcd
from threerc.runtime.errors import Conflict, StoreLost
from threerc.runtime.stores.encoding import encoded, versioned
from threerc.runtime.stores.gateway import Gateway
from threerc.runtime.stores.keys import checked_key, checked_prefix, checked_vm
from threerc.runtime.stores.logs import Log
from threerc.runtime.world import Versioned

_LEASED: Final = "seen/"
_LEASE_SECONDS: Final = 86400
_PAGE: Final = 1000


class _Entry(NamedTuple):
    """A key as it is in etcd; `value` is None where it is deleted. `damage` as in Versioned."""

    name: str
    revision: int
    nonce: str
    value: Mapping[str, Any] | None
    damage: str = ""

    @property
    def shown(self) -> int:
        """The version that the store's users see."""
        return 0 if self.value is None else self.revision


class EtcdStore:
    """The state of all controllers in etcd. Every call may raise StoreLost, also the first one.

    `log` is the local folder of the log files.
    """

    def __init__(self, settings: Etcd, log: Path) -> None:
        self._gateway = Gateway(settings)
        self._state = f"{settings.prefix}/state/"
        self._published = f"{settings.prefix}/vm/"
        self._log = Log(log)

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None."""
        return _versioned(self._entry(checked_key(key)))

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys of a group; `prefix` is its name and a slash, such as `vm/`."""
        first = self._state + checked_prefix(prefix)
        end = _next(first)
        found: dict[str, Versioned] = {}
        more = True
        while more:
            page = {"key": _base64(first), "range_end": _base64(end), "limit": str(_PAGE)}
            data = self._gateway.call("kv/range", page).data
            for entry in map(_entry, data.get("kvs", ())):
                first = entry.name + "\0"
                if versioned := _versioned(entry):
                    found[entry.name.removeprefix(self._state)] = versioned
            more = data.get("more", False)
        return found

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key whose version is still `expect`; returns the new one. Raises Conflict."""
        return self._replace(checked_key(key), {"value": value}, expect)

    def delete(self, key: str, expect: int) -> None:
        """Remove a key whose version is still `expect`. Raises Conflict."""
        if expect:
            self._replace(checked_key(key), {"gone": True}, expect)
        elif self.get(key) is not None:
            raise _conflict(key, expect)

    def publish(self, vm: str, line: str) -> None:
        """Write the thesis's line under a key of its own."""
        name = self._published + checked_vm(vm)
        self._gateway.call("kv/put", {"key": _base64(name), "value": _base64(line)})

    def published(self, vm: str) -> str | None:
        """That line, or None."""
        found = self._read(self._published + checked_vm(vm))
        return None if found is None else b64decode(found["value"]).decode("utf-8", "replace")

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to this controller's own files `log` and `log.json`."""
        self._log.append(lines, events)

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """This controller's own newest events, oldest first: all, or those that concern one VM."""
        return self._log.events(vm, last)

    def _read(self, name: str) -> Mapping[str, Any] | None:
        """A key as etcd tells it, or None; what a majority of the members agrees on."""
        kvs = self._gateway.call("kv/range", {"key": _base64(name)}).data.get("kvs")
        found: Mapping[str, Any] | None = kvs[0] if kvs else None
        return found

    def _entry(self, key: str) -> _Entry | None:
        found = self._read(self._state + key)
        return None if found is None else _entry(found)

    def _replace(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Replace what is at version `expect`; returns the new version. Raises Conflict."""
        revision = expect or self._free(key)
        nonce = secrets.token_hex(8)
        name = _base64(self._state + key)
        put = {"key": name, "value": _base64(encoded({"nonce": nonce, **value}))}
        if key.startswith(_LEASED):
            put["lease"] = self._lease(key)
        compared = {"key": name, "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}
        transaction = {
            "compare": [compared],
            "success": [{"request_put": put}],
            "failure": [{"request_range": {"key": name}}],
        }
        answer = self._gateway.call("kv/txn", transaction)
        if answer.data.get("succeeded"):
            return int(answer.data["header"]["revision"])
        kvs = answer.data["responses"][0]["response_range"].get("kvs")
        now = _entry(kvs[0]) if kvs else None
        if now is not None and now.nonce == nonce:
            return now.revision
        if answer.doubtful:
            raise StoreLost(f"etcd: whether {key} was written is not known; it has changed since")
        raise _conflict(key, expect)

    def _free(self, key: str) -> int:
        """The revision at which a key is not there. Raises Conflict where it is."""
        entry = self._entry(key)
        if entry is None:
            return 0
        if entry.shown:
            raise _conflict(key, 0)
        return entry.revision

    def _lease(self, key: str) -> str:
        """The lease of a key, from now on; always the same one, so that they do not pile up."""
        digest = hashlib.sha256((self._state + key).encode()).digest()
        lease = str(int.from_bytes(digest[:8]) >> 1)
        alive = self._gateway.call("lease/keepalive", {"ID": lease}).data["result"]
        if int(alive.get("TTL", 0)) <= 0:
            self._gateway.call("lease/grant", {"ID": lease, "TTL": str(_LEASE_SECONDS)})
        return lease


def _entry(found: Mapping[str, Any]) -> _Entry:
    name = b64decode(found["key"]).decode()
    revision = int(found["mod_revision"])
    there = versioned(revision, b64decode(found.get("value", "")), f"etcd: {name}")
    value = there.value
    if value.get("gone"):
        return _Entry(name, revision, str(value.get("nonce")), None)
    content = value.get("value")
    if isinstance(content, dict):
        return _Entry(name, revision, str(value.get("nonce")), content)
    return _Entry(name, revision, "", value, there.damage or f"etcd: {name} holds no value")


def _versioned(entry: _Entry | None) -> Versioned | None:
    if entry is None or entry.value is None:
        return None
    return Versioned(entry.revision, entry.value, entry.damage)


def _next(prefix: str) -> str:
    """The first key after all that start with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _base64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def _conflict(key: str, expect: int) -> Conflict:
    return Conflict(f"{key} is not at version {expect} any more")
