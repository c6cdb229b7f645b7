"""What may go wrong in the testbed."""

from __future__ import annotations


class TestbedError(Exception):
    """The testbed could not do it; the text is for people, and names what was waited for."""

    __test__ = False  # no test class, whatever pytest makes of the name
