"""The syntax of ISC's dhcpd.conf: statements, each ended by a semicolon or a block.

Nothing is known here of what statements mean, but for the words that begin one: where such a word
stands within another statement, a semicolon is missing. Whatever is no syntax is told.
Source: dhcpd.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<comment>#[^\n]*)|(?P<template>\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})"
    r'|(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[{};,])|(?P<word>(?:[^\s{};,#"])+)|(?P<bad>.)',
    re.DOTALL,
)

BEGINNINGS = frozenset(
    {
        *("allow", "authoritative", "class", "ddns-update-style", "default-lease-time", "deny"),
        *("failover", "filename", "fixed-address", "fixed-address6", "group", "hardware", "host"),
        *("if", "ignore", "include", "max-lease-time", "min-lease-time", "next-server", "option"),
        *("pool", "range", "range6", "server-name", "shared-network", "subclass", "subnet"),
        *("subnet6", "use-host-decl-names"),
    }
)
"""Words that begin a statement."""
_GOES_ON = {"and", "or", "not", "if", "elsif", "else", "match", "exists", "with", "=", "!=", "~="}
"""Words behind which an expression goes on, be it in the next line."""


class Token(NamedTuple):
    """A word, string or mark of the text, with its line and where it starts and ends."""

    kind: str
    text: str
    line: int
    start: int
    end: int


@dataclass
class Statement:
    """A statement: its words, and its block if it has one.

    `comment` stands behind it in its last line, `above` in the lines before it.
    """

    words: list[str]
    line: int
    block: list[Statement] | None = None
    comment: str = ""
    above: str = ""
    text: str = ""

    @property
    def head(self) -> str:
        """Its words as one text."""
        return " ".join(self.words).replace(" ,", ",")


class Trouble(NamedTuple):
    """A place that is no syntax. `fatal` if what is behind it is taken for what it is not."""

    line: int
    reason: str
    text: str = ""
    fatal: bool = False


@dataclass
class Parsed:
    """What a text says, and where it is no syntax."""

    statements: list[Statement] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def parse(text: str) -> Parsed:
    """Read a text. Never raises."""
    return _Parser(text).run()


def unquoted(word: str) -> str:
    """A string without its quotes and escapes; any other word as it is."""
    if len(word) < 2 or word[0] != '"':
        return word
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        yield Token(str(match.lastgroup), match[0], line, *match.span())
        line += match[0].count("\n")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.parsed = Parsed()
        self._open: list[Statement] = []
        self._heads: list[int] = []
        self._into: list[list[Statement]] = [self.parsed.statements]
        self._words: list[Token] = []
        self._above: list[Token] = []
        self._last: Statement | None = None
        self._last_line = 0

    def run(self) -> Parsed:
        for token in _tokens(self.text):
            match token.kind:
                case "space":
                    continue
                case "comment":
                    self._comment(token)
                case "template" if not token.text.startswith("{{"):
                    self._trouble(token, "templating is left in the file", token.text)
                case "bad":
                    self._trouble(token, "a quote has no partner", "")
                case "mark" if token.text != ",":
                    self._mark(token)
                case _:
                    self._words.append(token)
        self._end()
        return self.parsed

    def _comment(self, token: Token) -> None:
        if self._last is not None and token.line == self._last_line and not self._words:
            self._last.comment = token.text.strip("# \t")
        elif not self._words:
            self._above.append(token)

    def _mark(self, token: Token) -> None:
        if token.text == "{":
            self._open.append(self._add(token, block=True))
        elif token.text == ";":
            if self._words:
                self._add(token)
        else:
            if self._words:
                self._trouble(self._words[0], "a statement has no semicolon", self._said())
                self._words = []
            if not self._open:
                self._trouble(token, "a brace has no partner", "")
                return
            self._last = self._open.pop()
            self._into.pop()
            self._last.text += self.text[self._heads.pop() : token.end]
            self._last_line = token.line
            self._above = []

    def _add(self, token: Token, *, block: bool = False) -> Statement:
        first = self._words[0] if self._words else token
        for before, word in pairwise(self._words):
            if _begins(before, word):
                reason = f"no semicolon before `{word.text}` of line {word.line}"
                self.parsed.troubles.append(Trouble(before.line, reason, fatal=True))
        statement = Statement(
            [each.text for each in self._words],
            first.line,
            [] if block else None,
            above=self._comments_above(first),
            text=self.text[first.start : token.end],
        )
        self._into[-1].append(statement)
        if statement.block is not None:
            self._heads.append(token.end)
            self._into.append(statement.block)
        self._words, self._above = [], []
        self._last, self._last_line = statement, token.line
        return statement

    def _comments_above(self, first: Token) -> str:
        """The comment in the lines just above a statement."""
        found: list[str] = []
        line = first.line
        for token in reversed(self._above):
            if token.line != line - 1:
                break
            found.append(token.text.strip("# \t"))
            line = token.line
        return " ".join(reversed(found)).strip()

    def _said(self) -> str:
        return " ".join(each.text for each in self._words)

    def _trouble(self, token: Token, reason: str, text: str) -> None:
        self.parsed.troubles.append(Trouble(token.line, reason, text))

    def _end(self) -> None:
        if self._words:
            self._trouble(self._words[0], "a statement has no end", self._said())
        for each in self._open:
            reason = f"the block of `{each.head}` has no end"
            self.parsed.troubles.append(Trouble(each.line, reason, fatal=True))


def _begins(before: Token, word: Token) -> bool:
    """Whether a word that follows another one begins a statement of its own.

    It does behind a value, and at the start of a line unless an expression goes on there.
    """
    if word.text not in BEGINNINGS or before.kind == "template":
        return False
    if before.text in _GOES_ON or before.text.endswith((",", "(", "=", ":")):
        return False
    return word.line > before.line or before.kind == "string" or before.text[0].isdigit()
