"""Kickstarts by `ksvalidator`, preseeds by `debconf-set-selections`, our scripts by `sh -n`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from threerc.compiler.verify.base import Checker, Failure, Staged

_KICKSTART = b"#version="
_PRESEED = b"#_preseed_V1"
_SCRIPTS = ("/post/install.sh", "/post/preseed.sh", ".d/part.sh")
_KICKSTART_COMPLAINT = re.compile(
    r"problem occurred on line (\d+) of the kickstart file:\s*(\S[^\n]*)", re.MULTILINE
)
_PRESEED_COMPLAINT = re.compile(
    r"^(?:error|warning): (.*?)(?: on|, skipping) line (\d+)(?:: .*)?$", re.MULTILINE
)
_DEBCONF = """\
Config: config
Templates: templates

Name: config
Driver: File
Filename: {0}/config.dat

Name: templates
Driver: File
Filename: {0}/templates.dat
"""
_SHELL_COMPLAINT = re.compile(r"^\S+: (?:line )?(\d+): (.*)$", re.MULTILINE)


def _check_kickstarts(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("installer"):
        head = file.read_bytes().partition(b"\n")[0]
        if not head.startswith(_KICKSTART):
            continue
        release = head.removeprefix(_KICKSTART).decode()
        result = staged.run("-v", release, file)
        output = result.stdout + result.stderr
        complaints = _KICKSTART_COMPLAINT.findall(output)
        for line, message in complaints:
            yield Failure(path, int(line), message)
        if result.returncode and not complaints:
            yield Failure(path, 1, output.strip().splitlines()[-1])


def _check_preseeds(staged: Staged) -> Iterator[Failure]:
    # A database of its own: the machine's is locked while apt runs, and another user's.
    with TemporaryDirectory() as folder:
        settings = Path(folder, "debconf.conf")
        settings.write_text(_DEBCONF.format(folder), encoding="utf-8")
        for path, file in staged.files("installer"):
            if not file.read_bytes().startswith(_PRESEED):
                continue
            result = staged.run("--checkonly", file, DEBCONF_SYSTEMRC=str(settings))
            complaints = _PRESEED_COMPLAINT.findall(result.stderr)
            for message, line in complaints:
                yield Failure(path, int(line), message)
            if result.returncode and not complaints:
                yield Failure(path, 0, result.stderr.strip())


def _check_scripts(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("installer"):
        if not path.endswith(_SCRIPTS):
            continue
        result = staged.run("-n", file)
        if result.returncode:
            found = _SHELL_COMPLAINT.search(result.stderr)
            line, message = (int(found[1]), found[2]) if found else (0, result.stderr.strip())
            yield Failure(path, line, message)


CHECKERS = (
    Checker("installer", "ksvalidator", "python3-pykickstart", _check_kickstarts),
    Checker("installer", "debconf-set-selections", "debconf", _check_preseeds),
    Checker("installer", "sh", "dash", _check_scripts),
)
