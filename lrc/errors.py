"""The error for everything that a user can mend."""

from lrc_runtime.errors import LrcError


class UserError(LrcError):
    """Bad input to a command: the message says what, where, and how to mend it; the exit code is 2."""
