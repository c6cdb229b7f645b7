"""Debian's own installer, which is told by the compiled preseed what to do: see docs/testing.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import TODAY
from tests.lab import (
    LabError,
    Machine,
    Namespace,
    dhcpd,
    machine,
    namespace,
    requires_real,
    router_advertisements,
    tftpd,
)
from tests.lab.debian import Debian, debian, fetch, run, unpacked
from tests.lab.debian_mirror import complete, parts
from tests.lab.process import tail, wait_until
from tests.testbed.installing import ADDRESS, MAC, MIDDLEWARE, NAME, install_server, named, ssh
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks

pytestmark = [
    requires_real(),
    pytest.mark.skipif(not os.environ.get("THREERC_LONG"), reason="takes minutes: THREERC_LONG=1"),
]

# Nothing is reached but the site's own server: its network has no gateway.
SITE: Final = """\
site: lab
domain: example.org
networks:
  lan: {{prefix: 192.168.1.0/24, boot: true}}
administrators: {{tester: {key}}}
os_profiles:
  debian:
    installer: preseed
    release: {suite}
    kernel: debian/linux
    initrd: debian/initrd.gz
    repository: http://server.example.org/debian
    # A question then ends with a prompt on a line of the console.
    arguments: [console=ttyS0, DEBIAN_FRONTEND=text]
middleware:
  base: {{scripts: [base.sh]}}
service_hosts:
  server: {{address: 192.168.1.2, roles: [dhcp, tftp, dns, install]}}
worker_nodes:
  {name}: {{address: {address}, mac: "{mac}", os: debian, middleware: base, boot: install}}
physical_hosts:
  array:
    address: 192.168.1.21
    mac: "52:54:00:00:01:15"
    os: debian
    disks: [{{device: sda, size: 100GB}}, {{device: sdb, size: 100GB}}]
    raid: {{level: 1, disks: [sda, sdb]}}
"""
QUESTIONS: Final = ("Prompt: '?' for help", "[Press enter to continue]")
# A second card, which no network is behind.
HARDWARE: Final = ("-smp", "2", "-device", "e1000,mac=52:54:00:00:99:99")
DISK: Final = ("-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=disk")
DISK_BYTES: Final = 20 << 30
MEMORY: Final = 1024
LOADING_SECONDS: Final = 1200
INSTALLING_SECONDS: Final = 4 * 3600
BOOTING_SECONDS: Final = 900


@pytest.fixture(scope="module")
def cache(pytestconfig: pytest.Config) -> Path:
    """What is fetched is kept from one run of the tests to the next."""
    return pytestconfig.cache.mkdir("threerc-debian")


@pytest.fixture(scope="module")
def release(cache: Path) -> Debian:
    """This machine's Debian."""
    return debian(cache)


@dataclass
class Installation:
    """A small site, compiled and served, and its machine, which has booted the installer."""

    net: Namespace
    host: Machine
    server: Path
    key: Path

    @property
    def boots(self) -> str | None:
        """What the machine boots next."""
        links = BootLinks.load(self.server)
        return links.show(links.find([NAME])[0])["boots"]

    def wait_for_request(self, request: str, seconds: float) -> None:
        """Wait until the install server got a request, with no question to people before."""
        log = self.net.work / "install.log"
        self._wait(lambda: request in log.read_text(), request, seconds)

    def wait_for_text(self, text: str, seconds: float) -> None:
        """Wait until a text is on the console."""
        self._wait(lambda: self.host.said(text), text, seconds)

    def told(self, command: str) -> str:
        """What a command on the machine prints; it has to succeed."""
        result = ssh(self.net, self.key, command)
        assert result.returncode == 0, (command, result.stderr)
        return result.stdout.strip()

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        def holds() -> bool:
            time.sleep(1)  # A console is long, and the machine needs the core itself.
            found = condition()
            asked = any(self.host.said(each) for each in QUESTIONS)
            assert found or not asked, tail(self.host.console)
            return found

        try:
            wait_until(holds, what, self.host.process, seconds)
        except LabError as error:
            logs = tail(self.net.work / "install.log") + tail(self.host.console)
            raise LabError(f"{error}\n{logs}") from error


@contextmanager
def switched_on(work: Path, release: Debian) -> Iterator[Installation]:
    """A machine with an empty disk, which boots what its boot link says: the installer."""
    key, disk = work / "key", work / "disk.img"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    server = compiled(work, release, key)
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    drive = ("-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe")
    hardware = [*HARDWARE, *drive, *DISK]
    with (
        namespace(work / "lab", "192.168.1.2/24") as net,
        dhcpd(net, server / "etc/dhcp/dhcpd.conf"),
        tftpd(net, server / "srv/tftp"),
        router_advertisements(net),
        named(net, server),
        install_server(net, server),
        machine(net, mac=MAC, memory=MEMORY, arguments=hardware) as host,
    ):
        yield Installation(net, host, server, key)


def compiled(work: Path, release: Debian, key: Path) -> Path:
    """The server's folder, with all that people have to put there."""
    site = work / "site.yaml"
    public = key.with_suffix(".pub").read_text().strip()
    values = {"suite": release.suite, "key": public, "name": NAME, "address": ADDRESS, "mac": MAC}
    site.write_text(SITE.format(**values))
    (work / "base.sh").write_text(MIDDLEWARE)
    report = build(site, Options(out=work / "out", today=TODAY, strict=True))
    server = report.out / "server"
    (server / "srv/tftp/debian").mkdir()
    for name in ("linux", "initrd.gz"):
        shutil.copy(release.installer / name, server / "srv/tftp/debian")
    (server / "srv/install/debian").symlink_to(release.mirror)
    return server


def answers(preseed: Path) -> dict[str, str]:
    """What a preseed says to which question."""
    text = preseed.read_text().replace("\\\n", "")
    return dict(re.findall(r"^d-i (\S+) \w+ *(.*)$", text, re.MULTILINE))


def test_the_installer_asks_nobody_until_it_loads_its_parts(
    tmp_path: Path, release: Debian
) -> None:
    with switched_on(tmp_path, release) as installation:
        installation.wait_for_request("GET /profiles/debian.cfg", LOADING_SECONDS)
        installation.wait_for_request("POST /3rc/begin", LOADING_SECONDS)
        # It takes none of them from a mirror that Debian's own key has not signed.
        path = f"GET /debian/dists/{release.suite}/Release.gpg"
        installation.wait_for_request(path, LOADING_SECONDS)
        installation.wait_for_request("GET /debian/pool/", LOADING_SECONDS)


def test_the_installer_installs_the_machine(tmp_path: Path, release: Debian, cache: Path) -> None:
    """To the end, from a small mirror; where parts of the installer cannot be had it says which."""
    complete(release, cache, ["openssh-server", "bind9-host", "curl"])
    with switched_on(tmp_path, release) as installation:
        assert installation.boots == "debian"
        installation.wait_for_request("POST /3rc/installed/", INSTALLING_SECONDS)
        assert installation.boots == "local"
        installation.wait_for_text(f"{NAME} login:", BOOTING_SECONDS)
        assert installation.told("hostname") == NAME
        assert installation.told("cat /root/middleware") == f"base on {NAME}"
        assert installation.told("findmnt -no SOURCE /").startswith("/dev/sda")
        # The hook's own files, and nothing that the installer has left half-done.
        assert "done" in installation.told("tail -1 /var/log/3rc-install.log")
        assert installation.told("dpkg --audit") == ""
        assert installation.boots == "local"


# partman's own library, and what it calls; the disk's label is given.
RECIPES: Final = """\
set -u
DEVICES=$1/devices; NL='
'; TAB='	'; IFS_ORIGINAL="$IFS"
restore_ifs() { IFS="$IFS_ORIGINAL"; }
convert_to_megabytes() { expr 0000$1 : '0*\\(..*\\)......$'; }
db_get() { RET=; }
db_metaget() { RET=; }
logger() { :; }
open_dialog() { :; }
close_dialog() { :; }
read_line() { [ "$1" != label ] || label=$LABEL; }
set +u
. "$2/lib/partman/lib/recipes.sh"
mkdir -p "$DEVICES/=dev=sda"
cd "$DEVICES/=dev=sda"
find_method() { :; }
decode_recipe "$3" "$4"
free_size=100000
[ "$4" = lvm ] || expand_scheme
echo "$scheme"
"""


@pytest.mark.parametrize(
    ("label", "kind", "methods"),
    [
        ("gpt", "default", ["biosgrub", "efi", "raid", "raid"]),
        ("msdos", "default", ["raid", "raid"]),
        ("gpt", "lvm", ["biosgrub", "efi", "format", "swap"]),
    ],
)
def test_partman_reads_the_recipe_of_an_array(
    label: str, kind: str, methods: list[str], tmp_path: Path, release: Debian
) -> None:
    """By a BIOS or by UEFI, each disk has what the boot loader needs; the rest is the array's."""
    key = tmp_path / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    profiles = compiled(tmp_path, release, key) / "srv/install/profiles/debian.d"
    recipe = tmp_path / "recipe"
    recipe.write_text(answers(profiles / "raid1-sda-sdb.cfg")["partman-auto/expert_recipe"])
    part = parts(release)["partman-auto"]
    assert fetch(release, [part]) == []
    run(["dpkg-deb", "-x", str(release.mirror / part.path), str(tmp_path / "partman")])
    arguments = [str(each) for each in (tmp_path, tmp_path / "partman", recipe)]
    command = ["dash", "-c", RECIPES, "dash", *arguments, kind]
    environment = os.environ | {"LABEL": label}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [re.findall(r" method{ (\S+) }", " ".join(line)) for line in lines] == [
        [each] for each in methods
    ], result
    if kind == "default":
        sizes = [int(line[0]) for line in lines]
        assert sizes[-2] == 1024
        assert 99_000 < sum(sizes) <= 100_000


# Debian's own questions about accounts, with a debconf in which what the preseed has not answered
# and is critical is a question to a person.
ACCOUNTS: Final = """\
db_capb() { :; }
db_get() { RET=$(sed -n "s,^d-i $1 [a-z]* *,,p" "$PRESEED"); }
db_set() { :; }
db_go() { :; }
db_input() { grep -q "^d-i $2 " "$PRESEED" || [ "$1" != critical ] || echo "$2"; }
"""


def test_nobody_is_asked_for_a_password(tmp_path: Path, release: Debian, cache: Path) -> None:
    key = tmp_path / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    preseed = compiled(tmp_path, release, key) / "srv/install/profiles/debian.cfg"
    scripts = unpacked(cache, "user-setup") / "usr/lib/user-setup"
    debconf = tmp_path / "confmodule"
    debconf.write_text(ACCOUNTS)
    text = (scripts / "user-setup-ask").read_text()
    text = text.replace("/usr/share/debconf/confmodule", str(debconf))
    text = text.replace("/usr/lib/user-setup", str(scripts))
    # The new system, in which there is nobody yet.
    command = ["dash", "-ec", text, "dash", str(tmp_path / "target")]
    environment = os.environ | {"PRESEED": str(preseed)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
