"""cron, with the compiled tables and none of the machine's own.

What a job says goes to its user by mail. There is no mail here: it goes to a log of the run.
"""

from __future__ import annotations

from typing import Final

from threerc.compiler.model import Host, Site
from threerc.testbed.daemons import controller
from threerc.testbed.parts import Daemon, Lay
from threerc.testbed.supplies import Supplies

_CONTROLLERS: Final = "ha"
_UPDATES: Final = "3rc-updates"
_MAIL: Final = "/var/log/3rc-mail.log"
_SENDMAIL: Final = f"#!/bin/sh\nexec cat >> {_MAIL}\n"
# Names of the tables to keep: the rest are of the machine that the testbed is on.
_ONLY: Final = """
for table in /etc/cron.d/* /var/spool/cron/crontabs/*; do
    name=${table##*/}
    case " $0 " in *" $name "*) ;; *) rm -f "$table" ;; esac
done
[ -e "$1" ] || install -m 0666 /dev/null "$1"
"""


def is_wanted(site: Site, host: Host, supplies: Supplies) -> bool:
    """Whether cron has anything to do there: the controllers may be daemons."""
    return bool(_tables(site, host, supplies))


def cron(site: Site, host: Host, supplies: Supplies) -> Daemon:
    """cron, which starts the controllers in their minutes, and the update checks."""
    tables = _tables(site, host, supplies)
    setup = controller.setup(site, host, supplies) if _CONTROLLERS in tables else ()
    return Daemon(
        "cron",
        ("cron", "-f"),
        files=(
            Lay("/etc/crontab", ""),
            Lay("/usr/sbin/sendmail", _SENDMAIL, mode=0o755),
        ),
        start=(*setup, ("sh", "-c", _ONLY, " ".join(tables), _MAIL)),
        restart=True,
    )


def _tables(site: Site, host: Host, supplies: Supplies) -> list[str]:
    """The compiled tables that are to be heeded."""
    by_cron = "controller" in host.roles and supplies.profile == "thesis"
    return [_CONTROLLERS] * by_cron + [_UPDATES] * (site.updates is not None)
