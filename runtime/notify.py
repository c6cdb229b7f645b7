"""Telling people: a command, or a webhook, for each event that is worth it. Never raises."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from threerc.runtime.config import Notify
from threerc.runtime.errors import ControllerError
from threerc.runtime.programs import run
from threerc.runtime.web import NoAnswer, Server, shown

_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


def tell(settings: Notify, event: Mapping[str, Any], seconds: float = _SECONDS) -> None:
    """Hand an event to the site's command and webhook, each of which may take `seconds`.

    What fails is logged, without the webhook's path, which is often as good as a password.
    """
    text = json.dumps(event, ensure_ascii=False)
    if settings.command:
        try:
            answer = run(settings.command, seconds, text)
        except ControllerError as error:
            _log.warning("nobody was told: %s", error)
        else:
            if answer.status:
                _log.warning("%s: %s", settings.command[0], answer.reason)
    if settings.webhook:
        _post(settings.webhook, text, seconds)


def _post(url: str, text: str, seconds: float) -> None:
    server = Server(url)
    try:
        answer = server.ask("POST", "", seconds, text, {"Content-Type": "application/json"})
    except NoAnswer as error:
        _log.warning("the webhook at %s was not told: %s", shown(url), error)
    else:
        if answer.status // 100 != 2:
            _log.warning("the webhook at %s answers %d", shown(url), answer.status)
    finally:
        server.close()
