"""Errors that a caller can mend: each message says what, where, and how."""


class LrcError(ValueError):
    """Base of every error that is the input's fault rather than a bug.

    Commands print its message as one line and exit with code 2.
    """


class BundleError(LrcError):
    """A bundle folder is missing, damaged, or of a newer format than this runtime reads."""


class InputError(LrcError):
    """A text or an argument given to a bundle cannot be used."""
