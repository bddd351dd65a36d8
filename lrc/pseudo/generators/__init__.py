"""Generators of pseudo-labels, one module each: a function that yields examples, and what it needs.

A generator is a module here whose `GENERATOR` is an `lrc.pseudo.generators.inputs.Generator`, and an entry in
`GENERATORS`.
"""

from ...seams import member

# By what `--generator` calls it; imported when it is used.
GENERATORS = {
    "spans": member(__name__, "spans", "GENERATOR"),
    "clozes": member(__name__, "clozes", "GENERATOR"),
    "self": member(__name__, "selflabels", "GENERATOR"),
    "swaps": member(__name__, "swaps", "GENERATOR"),
    "reorderings": member(__name__, "reorderings", "GENERATOR"),
    "roundtrips": member(__name__, "roundtrips", "GENERATOR"),
    "codeswitch": member(__name__, "codeswitch", "GENERATOR"),
}
