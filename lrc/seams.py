"""Registries whose members are imported when they are used, so that listing them costs nothing."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def member(package: str, module: str, name: str) -> Callable[[], Any]:
    """Returns what gives `name` of a module of a package.

    Args:
        package: Name of the package.
        module: Name of the module in it.
        name: What the module calls its record.
    """
    return lambda: getattr(import_module(f"{package}.{module}"), name)
