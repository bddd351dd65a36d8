"""The error for everything that a user can mend, and a run that was interrupted."""

from pathlib import Path

from lrc_runtime.errors import LrcError


class UserError(LrcError):
    """Bad input to a command: the message says what, where, and how to mend it; the exit code is 2."""


class Interrupted(KeyboardInterrupt):
    """A training run was interrupted; its folder holds a checkpoint, from which `lrc.resume` goes on.

    Attributes:
        folder: The run folder.
        step: Steps that were done.
    """

    def __init__(self, folder: Path, step: int) -> None:
        super().__init__(f"interrupted at step {step}")
        self.folder = folder
        self.step = step
