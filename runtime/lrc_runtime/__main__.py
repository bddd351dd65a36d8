"""`python -m lrc_runtime`."""

import sys

from .cli import main

sys.exit(main())
