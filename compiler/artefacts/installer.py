"""What the install servers serve: profiles, the post-install hook, and the middleware.

Source: thesis 5.5 and 5.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter

from threerc.compiler.artefacts.profiles import LOCKED, Served, profiles
from threerc.compiler.model import Site
from threerc.compiler.secrets import password_hash
from threerc.compiler.templating import render, shell
from threerc.compiler.tree import Output

_SCRIPTS = "scripts"
"""Where the site's own files are served, apart from what is compiled."""


def compile_installer(site: Site, out: Output) -> None:
    """All that is below the document root of each host with the role `install`.

    Raises SecretMissing, and FileNotFoundError for a middleware script that is not there.
    """
    url = site.install_url()
    if url is None:
        return
    reference = site.root_password
    password = LOCKED if reference is None else password_hash(reference, out.side_file)
    served = [*profiles(site, url, password), *_hooks(site, url), *_middleware(site, out, url)]
    for server in site.with_role("install"):
        web_server = "apache" if site.is_red_hat(server) else "www-data"
        for path, content, concerns, secret in served:
            full = f"{site.provisioning.http_root}/{path}"
            group = web_server if secret else None
            out.file(server.name, full, content, concerns=concerns, group=group)


def _hooks(site: Site, url: str) -> Iterator[Served]:
    """The post-install hook, which runs inside the new system, and what runs it for a preseed."""
    servers = [str(host.address) for host in site.with_role("dns") if host.address is not None]
    text = render("installer_post", shell, site=site, url=url, servers=" ".join(servers))
    yield Served("post/install.sh", text)
    if any(each.installer == "preseed" for each in site.os_profiles.values()):
        yield Served("post/preseed.sh", render("installer_preseed_end", shell, site=site, url=url))


def _middleware(site: Site, out: Output, url: str) -> Iterator[Served]:
    """For each middleware the list of its scripts, and the scripts that lie beside site.yaml."""
    order = TopologicalSorter({name: each.requires for name, each in site.middleware.items()})
    ordered = [name for name in order.static_order() if name in site.middleware]
    for name in site.middleware:
        needed = _needed(site, name)
        scripts = [s for each in ordered if each in needed for s in site.middleware[each].scripts]
        lines = [s if "://" in s else f"{url}/{_SCRIPTS}/{s}" for s in dict.fromkeys(scripts)]
        yield Served(f"middleware/{name}.list", "".join(f"{line}\n" for line in lines))
    for script in sorted({s for each in site.middleware.values() for s in each.scripts}):
        if "://" not in script:
            yield Served(f"{_SCRIPTS}/{script}", out.side_file(script))


def _needed(site: Site, name: str) -> set[str]:
    """A middleware and all that it requires, at any remove."""
    found: set[str] = set()
    open_ends = [name]
    while open_ends:
        each = open_ends.pop()
        if each in site.middleware and each not in found:
            found.add(each)
            open_ends += site.middleware[each].requires
    return found
