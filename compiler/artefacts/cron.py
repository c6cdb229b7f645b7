"""cron: the controllers' minutes, and update checks on the nodes.

Source: crontab(5), thesis 8.6.2 and 8.9.
"""

from __future__ import annotations

import re

from threerc.compiler.model import Site
from threerc.compiler.model.site import Updates
from threerc.compiler.templating import Safe, render, shell
from threerc.compiler.tree import Output

_MINUTES = {"even": "*/2", "odd": "1-59/2", "every": "*"}
_HOUR = 60
_MOST_SPREAD = 300
_PLAIN = re.compile(r"/[A-Za-z0-9._:/@+=,-]+(?: [A-Za-z0-9._:/@+=,-]+)*")


def compile_cron(site: Site, out: Output) -> None:
    """/etc/cron.d/ha on each controller; update checks on hosts with files and for nodes."""
    for name, word in site.controller_minutes().items():
        text = render("cron", site=site, name=name, word=word, minutes=Safe(_MINUTES[word]))
        out.file(name, "/etc/cron.d/ha", text, concerns=(name,))
    if site.updates is None:
        return
    text = _updates(site, site.updates)
    for name in (*site.physical_hosts, *site.service_hosts):
        out.file(name, "/etc/cron.d/3rc-updates", text)
    for server in site.with_role("install"):
        out.file(server.name, f"{site.provisioning.http_root}/files/cron-updates", text)


def _updates(site: Site, updates: Updates) -> str:
    spread = min(_MOST_SPREAD, updates.every * 60 // 2)
    return render(
        "cron_updates",
        site=site,
        fields=Safe(cron_fields(updates.every)),
        spread=spread,
        command=_command(updates.command),
    )


def _command(text: str) -> Safe:
    """A program with its arguments as it stands; other text in a shell of its own, so that what
    is wrong with it stays there.
    """
    return Safe(text if _PLAIN.fullmatch(text) else f"sh -c {shell(text)}")


def cron_fields(every: int) -> str:
    """The five time fields for "every so many minutes".

    Raises ValueError unless it divides an hour, or is whole hours that divide a day: cron counts
    anew each hour and day.
    """
    if 0 < every < _HOUR and _HOUR % every == 0:
        return f"*/{every} * * * *"
    hours, rest = divmod(every, _HOUR)
    if rest or hours < 1 or 24 % hours:
        raise ValueError(f"cron cannot run every {every} minutes evenly")
    return "0 * * * *" if hours == 1 else f"0 */{hours} * * *" if hours < 24 else "0 0 * * *"
