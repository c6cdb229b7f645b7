"""etcd's JSON gateway: one call, to whichever of several endpoints answers.

etcd3gw knows one endpoint and no authentication.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from threerc.runtime.config import Etcd, Secret
from threerc.runtime.errors import StoreLost
from threerc.runtime.web import NoAnswer, Server, shown

_CONNECT: Final = 2.0
_ANSWER: Final = 5.0
_OK: Final = 200
# gRPC's: cancelled, unknown, deadline exceeded, aborted, internal, unavailable.
_IN_DOUBT: Final = {1, 2, 4, 10, 13, 14}
_UNAUTHENTICATED: Final = 16
_OLD_TOKEN: Final = ("invalid auth token", "revision of auth store is old", "user name is empty")


class Answer(NamedTuple):
    """What an endpoint answered; `doubtful`: another one may have done the same before."""

    data: Mapping[str, Any]
    doubtful: bool


class _Silent(Exception):
    """An endpoint that did not answer; `sent`: the request may have reached it."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class _Rejected(Exception):
    """An endpoint's own refusal."""


class _Unauthenticated(_Rejected):
    """It does not know (any more) who is asking."""


_Endpoint = tuple[str, Server]
"""How people call it, and itself."""


class Gateway:
    """The endpoints of one etcd cluster. Raises StoreLost where a certificate cannot be read."""

    def __init__(self, settings: Etcd) -> None:
        self._settings = settings
        tls = _tls(settings)
        self._endpoints = [(shown(url), Server(url, tls, _CONNECT)) for url in settings.endpoints]
        self._first = self._endpoints[0]
        self._token = ""
        self._renewing = Lock()

    def call(self, method: str, body: Mapping[str, Any]) -> Answer:
        """Ask the endpoints for e.g. `kv/range`, from the one that answered last. Raises StoreLost.

        What is asked must be safe to do twice.
        """
        silent: list[str] = []
        doubtful = False
        for endpoint in sorted(self._endpoints, key=lambda each: each != self._first):
            try:
                data = self._authenticated(endpoint, method, body)
            except _Silent as trouble:
                silent.append(f"{endpoint[0]}: {trouble}")
                doubtful |= trouble.sent
            except _Rejected as trouble:
                raise StoreLost(f"etcd at {endpoint[0]}: {trouble}") from trouble
            else:
                self._first = endpoint
                return Answer(data, doubtful)
        raise StoreLost(f"etcd does not answer: {'; '.join(silent)}")

    def _authenticated(
        self, endpoint: _Endpoint, method: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Ask with a token, and once more with a new one where the old one has expired."""
        if self._settings.user is None:
            return self._ask(endpoint, method, body)
        token = self._token
        if token:
            try:
                return self._ask(endpoint, method, body, token)
            except _Unauthenticated:
                pass
        return self._ask(endpoint, method, body, self._renewed(endpoint, token))

    def _renewed(self, endpoint: _Endpoint, old: str) -> str:
        """The token after an old one. One of all who need it asks: a password is slow to check."""
        with self._renewing:
            if self._token == old:
                secret = self._settings.password
                who = {"name": self._settings.user, "password": _read(secret) if secret else ""}
                self._token = str(self._ask(endpoint, "auth/authenticate", who)["token"])
            return self._token

    def _ask(
        self, endpoint: _Endpoint, method: str, body: Mapping[str, Any], token: str = ""
    ) -> Mapping[str, Any]:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = token
        text = json.dumps(body)
        try:
            answer = endpoint[1].ask("POST", f"/v3/{method}", _ANSWER, text, headers)
            data = json.loads(answer.body)
        except NoAnswer as error:
            raise _Silent(str(error), sent=error.sent) from error
        except ValueError as error:
            raise _Silent(f"no JSON: {error}", sent=True) from error
        if answer.status == _OK and isinstance(data, dict):
            return data
        raise _refusal(data if isinstance(data, dict) else {}, answer.status)


def _refusal(data: Mapping[str, Any], status: int) -> _Silent | _Rejected:
    code = data.get("code")
    reason = str(data.get("message") or data.get("error") or f"HTTP status {status}")
    if code == _UNAUTHENTICATED or any(each in reason for each in _OLD_TOKEN):
        return _Unauthenticated(reason)
    if code in _IN_DOUBT or code is None:
        return _Silent(reason, sent=True)
    return _Rejected(reason)


def _tls(settings: Etcd) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.cert:
            context.load_cert_chain(settings.cert, settings.key)
    except OSError as error:
        files = ", ".join(filter(None, (settings.ca, settings.cert, settings.key)))
        raise StoreLost(f"etcd: {files}: {error.strerror or error}") from error
    return context


def _read(secret: Secret) -> str:
    """The text of a secret. Raises StoreLost that says where it should be."""
    if secret.file is not None:
        try:
            return Path(secret.file).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreLost(f"etcd: cannot read the password in {secret.file}: {error}") from error
    try:
        return os.environ[secret.env or ""]
    except KeyError:
        raise StoreLost(f"etcd: no password in the environment: {secret.env}") from None
