"""Templates: what may reach the output, and what may not."""

from __future__ import annotations

import pytest

from threerc.compiler.templating import Safe, _environment, backslashed


def drawn(value: object) -> str:
    return _environment(backslashed).from_string("{{ value }}").render(value=value)


def test_words_and_what_was_escaped_stand_as_they_are() -> None:
    assert drawn("192.168.1.1") == "192.168.1.1"
    assert drawn(Safe('"a b"')) == '"a b"'


@pytest.mark.parametrize("value", [None, "", "a b", "a;b", "$(a)", "é"])
def test_anything_else_is_our_bug(value: object) -> None:
    with pytest.raises(ValueError, match="reached a template"):
        drawn(value)
