"""What is done on a host. It is sent there and needs only Python 3.9 and its standard library.

Nothing here may import more than that, but for `compiler.services`, `compiler.wording`
and the checkers of `compiler.verify`, which go with it.
"""
