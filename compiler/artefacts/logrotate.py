"""logrotate: the controllers' logs, which grow without end.

Of a state directory that all share the first controller rotates them: two at once would get in
each other's way. The controllers open their logs anew in each tick, so nobody has to tell them.

Source: logrotate(8) 3.21.
"""

from __future__ import annotations

from threerc.compiler.model import Site
from threerc.compiler.templating import render
from threerc.compiler.tree import Output


def compile_logrotate(site: Site, out: Output) -> None:
    """/etc/logrotate.d/3rc on the first controller; with etcd, on each, which has its own logs."""
    controllers = list(site.controller_minutes())
    for name in controllers if site.recovery.etcd else controllers[:1]:
        text = render("logrotate", site=site, folder=site.recovery.state_directory)
        out.file(name, "/etc/logrotate.d/3rc", text)
