"""Telling people: a command, or a webhook, for each event that is worth it. Never raises."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from threerc.runtime.config import Notify
from threerc.runtime.errors import ControllerError
from threerc.runtime.programs import run

_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


def tell(settings: Notify, event: Mapping[str, Any]) -> None:
    """Hand an event to the site's command and webhook; what fails is logged."""
    text = json.dumps(event, ensure_ascii=False)
    if settings.command:
        try:
            answer = run(settings.command, _SECONDS, text)
        except ControllerError as error:
            _log.warning("nobody was told: %s", error)
        else:
            if answer.status:
                _log.warning("%s: %s", settings.command[0], answer.reason)
    if settings.webhook:
        _post(settings.webhook, text)


def _post(url: str, text: str) -> None:
    # Few sites have a webhook, and cron starts a controller every minute.
    import httpx  # noqa: PLC0415

    headers = {"Content-Type": "application/json"}
    try:
        httpx.post(url, content=text, headers=headers, timeout=_SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _log.warning("the webhook was not told: %s", error)
