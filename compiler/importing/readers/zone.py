"""BIND's zone files into facts, record by record, so that one bad line costs no other.

dnspython reads the records and $GENERATE; the lines, $ORIGIN, $TTL, $INCLUDE and what templating
left behind are read here, since every record has to know its line.

Source: RFC 1035 (5), RFC 2308 (4), BIND 9 Administrator Reference Manual ("Zone File").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.ttl
import dns.zonefile
from dns.rdtypes.ANY.SOA import SOA

from threerc.compiler.findings import Place, ThreeRcError
from threerc.compiler.importing.facts import Facts, Record, ZoneFacts
from threerc.compiler.importing.readers.text import TEMPLATE, read_text

_PIECE = re.compile(r'(?P<comment>;.*)|(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<other>\\.|.)')
_MOST_INCLUDES = 20


class _Entry(NamedTuple):
    """A record or directive in one line, with its place and comment."""

    text: str
    place: Place
    comment: str


@dataclass
class _State:
    """What a record inherits from the lines before it."""

    origin: dns.name.Name
    owner: dns.name.Name | None = None
    ttl: int | None = None
    last_ttl: int | None = None


def read(name: str, path: Path, facts: Facts) -> None:
    """Add the zone that a file is. Raises ThreeRcError where the file or the name is none, or where
    the file is another zone's: then none of its records would be compared.
    """
    try:
        origin = dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise ThreeRcError(f"`{name}` is no name of a zone: {error}") from None
    zone = ZoneFacts(origin.to_text(omit_final_dot=True).lower(), Place(str(path), 1, 1))
    if zone.name in facts.zones:
        raise ThreeRcError(f"zone {zone.name} is given twice")
    facts.zones[zone.name] = zone
    lost = len(facts.lost)
    reader = _Reader(zone, origin, facts)
    reader.file(path, _State(origin), 0)
    if reader.outside and not zone.records:
        del facts.lost[lost:]
        raise ThreeRcError(
            f"{path}:1:1: no record of the file is in the zone {zone.name}: {reader.outside}"
        )


class _Reader:
    def __init__(self, zone: ZoneFacts, origin: dns.name.Name, facts: Facts) -> None:
        self.zone = zone
        self.origin = origin
        self.facts = facts
        self.outside = ""
        """Where the first record is that is not in the zone."""

    def file(self, path: Path, state: _State, depth: int) -> None:
        for entry in self._entries(path):
            directive = entry.text.split(maxsplit=1)[0].upper()
            try:
                match directive:
                    case "$ORIGIN" | "$TTL":
                        self._set(directive, entry.text.split()[1], state)
                    case "$INCLUDE":
                        self._include(path, entry, state, depth)
                    case _:
                        self._records(entry, state)
            except (dns.exception.DNSException, ValueError, IndexError) as error:
                self.facts.lose(entry.place, f"no record: {error}", entry.text.strip())

    def _set(self, directive: str, value: str, state: _State) -> None:
        if directive == "$ORIGIN":
            state.origin = dns.name.from_text(value, state.origin)
        else:
            state.ttl = dns.ttl.from_text(value)

    def _include(self, path: Path, entry: _Entry, state: _State, depth: int) -> None:
        _, wanted, *origin = entry.text.split()
        given = Path(wanted.strip('"'))
        beside = path.parent
        tries = [beside / given.name, beside / given]
        tries += [beside.joinpath(*given.parts[at:]) for at in range(1, len(given.parts))]
        found = next((each for each in tries if each.is_file()), None)
        if found is None or depth >= _MOST_INCLUDES:
            self.facts.lose(entry.place, "the included file is not beside this one", entry.text)
            return
        inner = replace(state)
        if origin:
            inner.origin = dns.name.from_text(origin[0], state.origin)
        self.file(found, inner, depth + 1)
        # What was included changes the last owner, but not the origin (RFC 1035, 5.1).
        state.owner, state.last_ttl = inner.owner, inner.last_ttl

    def _records(self, entry: _Entry, state: _State) -> None:
        # Without any TTL yet, 0 stands for that of the SOA record, which says it.
        ttl = state.ttl if state.ttl is not None else state.last_ttl or 0
        text = entry.text
        if text[0].isspace():
            if state.owner is None:
                raise ValueError("it has no owner")
            text = f"{state.owner.to_text()} {text.strip()}"
        # A SOA record has to be at the origin; all others may be outside of it, and are told then.
        soa = "SOA" in text.upper().split()
        manager = dns.zonefile.RRSetsReaderManager(self.origin if soa else dns.name.root)
        with dns.zonefile.RRsetsReaderTransaction(manager, True, False) as transaction:  # type: ignore[no-untyped-call]
            tokens = dns.tokenizer.Tokenizer(text + "\n", entry.place.file)
            reader = dns.zonefile.Reader(
                tokens,
                dns.rdataclass.IN,
                transaction,
                default_ttl=ttl,
                allow_directives=["GENERATE"],
            )
            reader.current_origin = state.origin
            reader.read()
        state.owner = reader.last_name
        if reader.last_ttl_known:
            state.last_ttl = reader.last_ttl
        for rrset in manager.rrsets:
            for rdata in rrset:
                if isinstance(rdata, SOA):
                    self._apex(rdata, rrset.ttl, state)
                    continue
                self._add(rrset, rdata.to_text(), entry, state)

    def _add(self, rrset: dns.rrset.RRset, data: str, entry: _Entry, state: _State) -> None:
        if not rrset.name.is_subdomain(self.origin):
            told = state.origin != self.origin
            says = f"its $ORIGIN says {state.origin}" if told else f"its first is of {rrset.name}"
            self.outside = self.outside or says
            self.facts.lose(entry.place, f"outside the zone {self.zone.name}", entry.text.strip())
            return
        kind = dns.rdatatype.to_text(rrset.rdtype)
        record = Record(rrset.name.to_text(), rrset.ttl, kind, data, entry.place, entry.comment)
        self.zone.records.append(record)

    def _apex(self, soa: SOA, ttl: int, state: _State) -> None:
        self.zone.primary = soa.mname.to_text()
        self.zone.mailbox = soa.rname.to_text()
        self.zone.negative_ttl = soa.minimum
        if state.ttl is None and not ttl:
            state.last_ttl = soa.minimum

    def _entries(self, path: Path) -> Iterator[_Entry]:
        """The entries of a file, each in one line: parentheses go on over several."""
        said: list[str] = []
        comments: list[str] = []
        depth = first = 0
        for number, line in enumerate(read_text(path).split("\n"), 1):
            plain = self._without_templates(line, Place(str(path), number, 1), depth)
            text, comment, depth = _pieces(plain, depth)
            first = first if said else number
            said.append(text)
            comments.append(comment)
            if depth:
                continue
            entry = " ".join(said).rstrip()
            if entry.strip():
                yield _Entry(entry, Place(str(path), first, 1), " ".join(filter(None, comments)))
            said, comments = [], []
        if any(each.strip() for each in said):
            place = Place(str(path), first, 1)
            self.facts.lose(place, "a parenthesis has no partner", " ".join(said).strip())

    def _without_templates(self, line: str, place: Place, depth: int) -> str:
        """A line without templating: a serial's value is 3RC's anyway, other lines are lost."""
        code, mark, comment = line.partition(";")
        if not TEMPLATE.search(code):
            return line
        if depth or "SOA" in code.upper().split():
            return TEMPLATE.sub("1", code) + mark + comment
        self.facts.lose(place, "templating is left in the file", line.strip())
        return ""


def _pieces(line: str, depth: int) -> tuple[str, str, int]:
    """A line without its parentheses and comment, the comment, and how many are open then."""
    text, comment = "", ""
    for match in _PIECE.finditer(line):
        piece = match[0]
        if match.lastgroup == "comment":
            comment = piece.strip("; \t")
        elif piece in "()":
            depth = max(depth + (1 if piece == "(" else -1), 0)
            text += " "
        else:
            text += piece
    return text, comment, depth
