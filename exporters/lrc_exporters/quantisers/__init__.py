"""Quantisers, one module for each kind of number. In `QUANTISERS` one can be chosen."""

from .fp16 import FP16
from .int4 import INT4
from .int8 import INT8, INT8_STATIC
from .quantiser import Quantiser

# The end of a name under which a precision has its activations' scales fixed by calibration.
STATIC = "-static"
QUANTISERS: dict[str, Quantiser] = {"int8": INT8, f"int8{STATIC}": INT8_STATIC, "int4": INT4, "fp16": FP16}
