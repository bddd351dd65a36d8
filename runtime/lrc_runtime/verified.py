"""The files of a bundle, held to its manifest each time that they are opened."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from .errors import BundleError
from .files import Files, Identity, open_files
from .manifest import Manifest, matches, verify

_T = TypeVar("_T")
# How often files are opened that change meanwhile.
_TRIES = 3


class Verified:
    """The files of a task of a bundle.

    They are opened again in a forked process, and some are opened late. A bundle may be replaced at any time before.

    Args:
        files: The bundle.
        manifest: That of the task.

    Raises:
        BundleError: If a file is missing or changed.
    """

    def __init__(self, files: Files, manifest: Manifest) -> None:
        self.path = files.path
        # What messages call them.
        self.where = {name: files.where(name) for name in manifest.files}
        self._expected = manifest.files
        self._seen = verify(files, manifest)

    def open(self, names: Sequence[str], make: Callable[[Files], _T]) -> _T:
        """Makes something of files that are those of the manifest.

        Args:
            names: The files that `make` opens.
            make: Opens them. It is called again if one of them changed meanwhile.

        Returns:
            What `make` returned.

        Raises:
            BundleError: If a file was changed or replaced, or `make` raised it.
        """
        for _ in range(_TRIES):
            files = self._files()
            before = [self._check(files, name) for name in names]
            made: _T | BundleError
            try:
                made = make(files)
            except BundleError as error:
                made = error
            # Whether those that were checked are those that were opened shows only now.
            if before == [files.identity(name) for name in names]:
                if isinstance(made, BundleError):
                    raise made
                return made
        raise BundleError(f"{self.path}: changes while it is opened; load it again once it is in place")

    def _files(self) -> Files:
        try:
            # An archive too is opened anew: a forked process shares where its parent's file is read at.
            return open_files(self.path)
        except BundleError as error:
            raise BundleError(f"{self.path}: was moved or replaced since it was loaded; load it again") from error

    def _check(self, files: Files, name: str) -> Identity:
        identity = files.identity(name)
        if identity is None or (identity != self._seen[name] and not matches(files, name, self._expected[name])):
            raise BundleError(f"{self.where[name]}: was changed or replaced since it was loaded; load the bundle again")
        self._seen[name] = identity
        return identity
