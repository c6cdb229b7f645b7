"""What Debian's and Red Hat's installers are told to run: the hook, and the report at the end."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import TODAY
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks
from threerc.testbed.install_server import InstallServer

ADDRESS, MACHINE = "127.0.0.2", "127.0.0.11"
SITE: Final = """\
site: lab
domain: example.org
networks:
  lan: {prefix: 127.0.0.0/24, boot: true}
os_profiles:
  el: {installer: kickstart, kernel: el/linux, initrd: el/initrd, repository: http://127.0.0.2/el}
  deb: {installer: preseed, kernel: deb/linux, initrd: deb/initrd, release: bookworm,
        repository: http://127.0.0.2/debian}
service_hosts:
  server: {address: 127.0.0.2, roles: [dhcp, tftp, install, dns]}
worker_nodes:
  wn001: {address: 127.0.0.11, mac: "52:54:00:00:00:11", os: %s, boot: install}
"""
FIRMWARE: Final = "debian/dists/bookworm/non-free-firmware/binary-amd64/Release"
REPORTS: Final = "a server of 3RC's"
PLAIN: Final = "any web server"


@dataclass
class Installer:
    """An installer's file system below `root`, and the server that it was booted from."""

    root: Path
    server: Path
    port: int

    @property
    def documents(self) -> Path:
        """What the install server serves."""
        return self.server / "srv/install"

    @property
    def boots(self) -> str | None:
        """What the machine boots next."""
        links = BootLinks.load(self.server)
        return links.show(links.find(["wn001"])[0])["boots"]

    @property
    def token(self) -> str:
        """What the server said when the installation began."""
        return (self.root / "tmp/3rc-token").read_text()

    def run(self, script: str, missing: str = "") -> int:
        """Run what it was told; `missing` are the tools that it lacks."""
        script = script.replace(f"http://{ADDRESS}", f"http://{ADDRESS}:{self.port}")
        script = re.sub(r"(?<=[ >])/(tmp|root|target)\b", rf"{self.root}/\1", script)
        for name in missing.split():
            script = script.replace(f"command -v {name} ", "command -v no-such ")
        path = f"{self.root}/bin:{os.environ['PATH']}"
        # GNU's wget tries a connection that is dropped again for minutes.
        once = self.root / "wgetrc"
        once.write_text("tries = 1\n")
        environment = {"PATH": path, "ROOT": str(self.root), "WGETRC": str(once)}
        result = subprocess.run(["dash"], input=script, env=environment, text=True, check=False)
        return result.returncode

    def hook(self, status: int) -> None:
        """Let the post-install hook end so."""
        text = f'echo "$ROOT" >"$ROOT/hooked"\nexit {status}\n'
        (self.documents / "post/install.sh").write_text(text)

    @property
    def hooked(self) -> bool:
        """Whether the hook was run."""
        return (self.root / "hooked").exists()


class Server(InstallServer):
    """An install server to which whoever asks on this computer is the machine."""

    down: Path
    """While this file is there, nobody is answered."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Take a request."""
        link, (_, port) = super().get_request()
        return link, (MACHINE, port)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Whether to answer."""
        del request, client_address
        return not self.down.exists()


@contextmanager
def booted(folder: Path, profile: str, kind: str = REPORTS) -> Iterator[Installer]:
    """A machine that has booted the installer of a profile."""
    (folder / "site.yaml").write_text(SITE % profile)
    report = build(folder / "site.yaml", Options(out=folder / "out", today=TODAY))
    server = report.out / "server"
    for name in ("tmp", "root", "target/root", "bin"):
        (folder / "installer" / name).mkdir(parents=True)
    with listening(server, kind, folder / "installer/down") as port:
        installer = Installer(folder / "installer", server, port)
        installer.hook(0)
        # Debian's installer has these; the new system is at /target.
        program(installer, "in-target", '[ "$1" = sh ] && exec sh "$ROOT/target$2"')
        program(installer, "debconf-set", 'echo "$@" >>"$ROOT/answers"')
        program(installer, "sleep", "")
        yield installer


@contextmanager
def listening(server: Path, kind: str, down: Path) -> Iterator[int]:
    """A web server over a compiled folder; its port."""
    documents = server / "srv/install"
    web: HTTPServer
    if kind == REPORTS:
        web = Server(ADDRESS, 0, documents, server)
        web.down = down
    else:
        web = HTTPServer((ADDRESS, 0), partial(SimpleHTTPRequestHandler, directory=str(documents)))
    with web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield web.server_address[1]
        finally:
            web.shutdown()
            thread.join()


def program(installer: Installer, name: str, line: str) -> None:
    """Put a program where the installer finds it."""
    path = installer.root / "bin" / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def answer(installer: Installer, question: str) -> str:
    """What the preseed says to a question."""
    text = (installer.documents / "profiles/deb.cfg").read_text()
    found = re.search(rf"^d-i {question} string (.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def sections(installer: Installer) -> list[str]:
    """The scripts of the kickstart: before the installation, in the new system, outside it."""
    text = (installer.documents / "profiles/el.cfg").read_text()
    return re.findall(r"^%(?:pre|post)\b[^\n]*\n(.*?)^%end$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("missing", ["", "curl"])
def test_a_preseed_runs_the_hook_and_reports(missing: str, tmp_path: Path) -> None:
    with booted(tmp_path, "deb") as installer:
        assert installer.run(answer(installer, "preseed/early_command")) == 0
        assert len(installer.token) > 20
        assert installer.boots == "deb"
        end = (installer.documents / "post/preseed.sh").read_text()
        assert installer.run(end, missing) == 0
        assert installer.hooked
        assert installer.boots == "local"


def test_the_late_command_of_a_preseed_is_that_script(tmp_path: Path) -> None:
    with booted(tmp_path, "deb") as installer:
        script = "#!/bin/sh\nexit 3\n"
        (installer.documents / "post/preseed.sh").write_text(script)
        assert installer.run(answer(installer, "preseed/late_command")) == 3
        (installer.documents / "post/preseed.sh").unlink()
        assert installer.run(answer(installer, "preseed/late_command")) != 0


@pytest.mark.parametrize("missing", ["", "curl", "curl wget"])
def test_a_kickstart_runs_the_hook_and_reports(missing: str, tmp_path: Path) -> None:
    with booted(tmp_path, "el") as installer:
        before, inside, outside = sections(installer)
        assert installer.run(before, missing) == 0
        assert len(installer.token) > 20
        assert installer.run(inside, missing) == 0
        assert installer.hooked
        assert installer.boots == "el"
        assert installer.run(outside, missing) == 0
        assert installer.boots == "local"


def test_an_installation_whose_hook_fails_is_none(tmp_path: Path) -> None:
    """The installer stops, and the boot link stays: as with images."""
    with booted(tmp_path, "deb") as installer:
        installer.hook(1)
        installer.run(answer(installer, "preseed/early_command"))
        assert installer.run((installer.documents / "post/preseed.sh").read_text()) == 1
        assert installer.hooked
        assert installer.boots == "deb"


def test_a_kickstart_stops_where_its_hook_fails(tmp_path: Path) -> None:
    with booted(tmp_path, "el") as installer:
        installer.hook(1)
        assert installer.run(sections(installer)[1]) == 1
        text = (installer.documents / "profiles/el.cfg").read_text()
        assert re.findall("^%post.*$", text, re.MULTILINE) == [
            "%post --erroronfail",
            "%post --nochroot --erroronfail",
        ]


@pytest.mark.parametrize("profile", ["deb", "el"])
def test_a_report_that_is_not_taken_stops_the_installer(profile: str, tmp_path: Path) -> None:
    with booted(tmp_path, profile) as installer:
        (installer.root / "tmp/3rc-token").write_text("somebody else's")
        last = (installer.documents / "post/preseed.sh").read_text()
        assert installer.run(last if profile == "deb" else sections(installer)[2]) == 1
        assert installer.boots == profile


@pytest.mark.parametrize("profile", ["deb", "el"])
def test_who_got_no_token_at_first_gets_one_at_the_end(profile: str, tmp_path: Path) -> None:
    with booted(tmp_path, profile) as installer:
        last = (installer.documents / "post/preseed.sh").read_text()
        assert installer.run(last if profile == "deb" else sections(installer)[2]) == 0
        assert installer.boots == "local"


MISSING = pytest.mark.parametrize(
    ("profile", "missing"),
    [("deb", ""), ("deb", "curl"), ("el", ""), ("el", "curl"), ("el", "curl wget")],
)


def ends(installer: Installer, profile: str, missing: str) -> int:
    """What the end of an installation comes to if the server is down from after the hook on."""
    if profile == "el":
        (installer.root / "down").touch()
        return installer.run(sections(installer)[2], missing)
    program(installer, "in-target", 'touch "$ROOT/down"')
    return installer.run((installer.documents / "post/preseed.sh").read_text(), missing)


@MISSING
def test_a_server_that_is_not_reached_is_not_one_that_takes_no_reports(
    profile: str, missing: str, tmp_path: Path
) -> None:
    with booted(tmp_path, profile) as installer:
        assert ends(installer, profile, missing) == 1
        assert installer.boots == profile


@MISSING
def test_who_has_no_token_asks_for_one_again(profile: str, missing: str, tmp_path: Path) -> None:
    with booted(tmp_path, profile) as installer:
        program(installer, "sleep", '[ -e "$ROOT/once" ] && rm -f "$ROOT/down"; touch "$ROOT/once"')
        assert ends(installer, profile, missing) == 0
        assert installer.boots == "local"


@MISSING
def test_a_server_that_takes_no_reports_stops_nobody(
    profile: str, missing: str, tmp_path: Path
) -> None:
    with booted(tmp_path, profile, PLAIN) as installer:
        if profile == "deb":
            assert installer.run(answer(installer, "preseed/early_command")) == 0
            assert (
                installer.run((installer.documents / "post/preseed.sh").read_text(), missing) == 0
            )
        else:
            installer.run(sections(installer)[0], missing)
            assert [installer.run(each, missing) for each in sections(installer)[1:]] == [0, 0]
        assert installer.hooked


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
@pytest.mark.parametrize(("kind", "down", "status"), [(PLAIN, False, 0), (REPORTS, True, 1)])
def test_busybox_tells_them_apart_as_well(
    kind: str, down: bool, status: int, tmp_path: Path
) -> None:
    with booted(tmp_path, "deb", kind) as installer:
        program(installer, "wget", 'exec busybox wget "$@"')
        program(installer, "grep", 'exec busybox grep "$@"')
        if down:
            assert ends(installer, "deb", "curl") == status
        else:
            end = (installer.documents / "post/preseed.sh").read_text()
            assert installer.run(end, "curl") == status


@pytest.mark.parametrize("there", [True, False])
def test_firmware_is_only_looked_for_where_it_is(there: bool, tmp_path: Path) -> None:
    """The installer asks a person where a mirror lacks the part that it wants microcode from."""
    with booted(tmp_path, "deb") as installer:
        if there:
            (installer.documents / FIRMWARE).parent.mkdir(parents=True)
            (installer.documents / FIRMWARE).touch()
        installer.run(answer(installer, "preseed/early_command"))
        answers = installer.root / "answers"
        told = answers.read_text() if answers.exists() else ""
        assert told == ("" if there else "hw-detect/firmware-lookup never\n")


def test_an_older_installer_knows_no_such_question(tmp_path: Path) -> None:
    with booted(tmp_path, "deb") as installer:
        program(installer, "debconf-set", "exit 10")
        assert installer.run(answer(installer, "preseed/early_command")) == 0
