"""Packages that only some commands need."""

import importlib
from typing import Any

from .errors import UserError


def require(package: str, extra: str, what: str) -> Any:
    """Imports a package of an extra.

    Args:
        package: The module to import.
        extra: The extra of lrc-compiler that installs it.
        what: What needs it, for the message.

    Raises:
        UserError: If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package.partition(".")[0]:
            raise
        name = package.partition(".")[0]
        raise UserError(f"{what} needs {name}; pip install -c constraints.txt '.[{extra}]'") from error
