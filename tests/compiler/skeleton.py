"""What a compiled tree says apart from its values: the statements of its files by their shape.

Each file is cut up by the rules of its own language, by code that knows nothing of how 3RC quotes.
Trees that differ in their values alone have the same skeleton; a value that gets out of its place
adds words, statements or records, or leaves a file that its language cannot be cut up by.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import dns.zone
import yaml

from threerc.compiler.tree import Entry

Reader = Callable[[str], Iterable[str]]
_HASH = r"#[^\n]*"
_C_LIKE = r"(?:#|//)[^\n]*|/\*.*?\*/"
_STRING = r'"(?:[^"\\\n]|\\[^\n])*"'
_KERNEL_ARGUMENT = r'(?:[^\s"]|"[^\s"]*")+'
_HERE_DOCUMENT = re.compile(r"<<'(\w+)'\n(.*?)^\1$", re.DOTALL | re.MULTILINE)


def skeleton(entries: Mapping[str, Entry]) -> Counter[tuple[str, str]]:
    """How often each artefact makes which statement. Raises ValueError where a file has none."""
    found: Counter[tuple[str, str]] = Counter()
    for path, entry in entries.items():
        if entry.target is not None:
            found[entry.artefact, "link"] += 1
            continue
        try:
            statements = _statements(_reader(path), entry.content.decode())
        except Exception as error:
            raise ValueError(f"{path} cannot be read back: {error}") from error
        found.update((entry.artefact, each) for each in statements)
        found[entry.artefact, "file"] += 1
    return found


def _reader(path: str) -> Reader:
    found = next((reader for place, reader in _READERS if re.search(place, path)), None)
    if found is None:
        raise LookupError("say in _READERS which language it is in")
    return found


@cache  # nearly all files of two trees are the same
def _statements(reader: Reader, text: str) -> tuple[str, ...]:
    return tuple(reader(text))


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """The tokens of a text: `w` for a word, `s` for a string, a mark for itself."""
    at = 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise ValueError(f"no token: {text[at : at + 40]!r}")
        at = match.end()
        match match.lastgroup:
            case "word" | "string" as kind:
                yield kind[0]
            case "mark":
                yield match[0]


def _blocks(comment: str) -> Reader:
    """A language of statements and blocks, such as those of dhcpd and named."""
    pattern = re.compile(
        rf'\s+|{comment}|(?P<string>{_STRING})|(?P<mark>[{{}};,=])|(?P<word>[^\s"{{}};,=]+)',
        re.DOTALL,
    )
    return lambda text: re.findall(r"[^;{}]*[;{}]|[^;{}]+$", " ".join(_tokens(pattern, text)))


def _lines(comment: str, word: str = r'[^\s"]+') -> Reader:
    """A language of lines of words. What ends a line is taken widely."""
    pattern = re.compile(rf"\s+|{comment}|(?P<word>{word})")
    return lambda text: filter(None, (" ".join(_tokens(pattern, e)) for e in text.splitlines()))


_SHELL = re.compile(
    r"""[^\S\n]+|\#[^\n]*
    |(?P<mark>[\n;&|<>()])
    |(?P<word>(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\;&|<>()])+)""",
    re.DOTALL | re.VERBOSE,
)


def _shell(text: str) -> Iterator[str]:
    """sh(1), and what is split as it does: kickstart and, but for its times, cron."""
    for each in _HERE_DOCUMENT.finditer(text):
        yield f"here-document of {each[2].count(chr(10))} lines"
    tokens = " ".join(_tokens(_SHELL, _HERE_DOCUMENT.sub("<< w", text)))
    yield from filter(None, (line.strip() for line in tokens.splitlines()))


def _cron(text: str) -> Iterator[str]:
    """Lines of sh(1); what stands behind their last `;` is one command, of however many words."""
    for line in _shell(text):
        yield re.sub(r"; w( w)*$", "; command", line)


def _preseed(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            owner, question, kind, *value = line.split()
            if question.endswith("_command"):
                yield from _shell(line.split(maxsplit=3)[3])
                continue
            # What is served below a mirror's folder is not words but the rest of the line.
            yield f"{owner} {question} {kind} {len(value)}"


def _profile(text: str) -> Iterable[str]:
    return _preseed(text) if text.startswith("#_preseed_V1\n") else _shell(text)


def _zone(text: str) -> Iterator[str]:
    """The records of a zone, with the number of labels below it that they have."""
    for name, ttl, data in dns.zone.from_text(text).iterate_rdatas():
        yield f"{len(name)} labels {ttl} {data.rdtype.name} {len(str(data).split())}"


def _data(text: str) -> Iterator[str]:
    yield from _nodes(yaml.load(text, Loader=yaml.CSafeLoader), "top")


def _nodes(node: Any, place: str) -> Iterator[str]:
    """Each mapping and list with its size, each scalar with its type; names are values too."""
    if not isinstance(node, dict | list):
        yield f"{place}: {type(node).__name__}"
        return
    place = f"{place} in {type(node).__name__} of {len(node)}"
    yield place
    for each in node.values() if isinstance(node, dict) else node:
        yield from _nodes(each, place)


def _xml(text: str) -> Iterator[str]:
    """Each element with its attributes, and whether it has text; comments are left out."""
    for element in ET.fromstring(text).iter():  # noqa: S314 - it is our own
        has_text = bool((element.text or "").strip())
        yield f"{element.tag} {sorted(element.attrib)} {has_text}"
        if (element.tail or "").strip():
            raise ValueError(f"text behind {element.tag}: {element.tail!r}")


def _whole(_text: str) -> Iterator[str]:
    yield "a file beside site.yaml"


_READERS: tuple[tuple[str, Reader], ...] = (
    (r"/etc/dhcp/dhcpd6?\.conf$", _blocks(_HASH)),
    (r"/etc/kea/", _data),
    (r"/etc/(?:bind/|named/)?named\.conf", _blocks(_C_LIKE)),
    (r"/etc/bind/db\.|/var/named/db\.", _zone),
    (r"/gmond\.conf$|/gmond\.d/[^/]+\.conf$", _blocks(_C_LIKE)),
    (r"/gmetad\.conf$", _lines("^#.*", rf'{_STRING}|[^\s"]+')),
    (r"/etc/drbd\.d/", _blocks(_HASH)),
    (r"/etc/exports\.d/", _lines("#.*")),
    (r"/etc/logrotate\.d/", _lines("^#.*")),
    (r"/grub/(?:boot/)?[^/]+\.cfg$", _shell),
    (r"/pxelinux\.cfg/", _lines("^#.*", _KERNEL_ARGUMENT)),
    (r"/etc/hosts$|/files/hosts$", _lines("#.*")),
    (r"/boot\.hosts$|/hosts\.def$|/known_hosts$|/groups\.conf$", _lines("^#.*")),
    (r"/middleware/[^/]+\.list$|/profiles/[^/]+\.d/hosts$|/gmond\.d/hosts$", _lines("(?!)")),
    (r"/profiles/.*\.cfg$", _profile),
    (r"/post/(?:install|preseed)\.sh$|/part\.sh$|/3rc-allow$", _shell),
    (r"/etc/cron\.d/|/files/cron-updates$", _cron),
    (r"/controller\.yaml$|/groups\.d/", _data),
    (r"/3rc/domains/[^/]+\.xml$", _xml),
    (r"/scripts/", _whole),
)
