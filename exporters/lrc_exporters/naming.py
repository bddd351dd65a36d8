"""Final names of what was written under temporary ones."""

import os
from pathlib import Path

from lrc_runtime.errors import LrcError


def take_name(partial: Path, final: Path) -> None:
    """Gives a finished file or folder its final name, and never takes the place of something else.

    Args:
        partial: The file or folder, beside its final place.
        final: The name.

    Raises:
        LrcError: If another process has made something of that name meanwhile; that stands as it is.
    """
    try:
        if partial.is_dir():
            # The system refuses a folder that holds something.
            partial.rename(final)
        else:
            os.link(partial, final)
            partial.unlink()
    except OSError as error:
        if final.exists():
            raise LrcError(
                f"{final}: another process has made it meanwhile, which stands as it is; run this again with a new name"
            ) from error
        # A file system without hard links.
        partial.rename(final)
