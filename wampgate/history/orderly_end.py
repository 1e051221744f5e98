"""The file that says that the last run ended in order: what a store may take for whole, it has to find in both places.

A store cannot know of a run that it was never told of, or that it has forgotten with its own newest entries. So a run
that ends in order leaves the same word here and in the store, and the next one takes it away before anything is
published, whether or not the store can be reached.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SIZE: Final = 1_000


class OrderlyEnd:
    """One store's file. Every method blocks for as long as the disk does.

    Args:
        path: where it is; its folder is made if need be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> str | None:
        """The word of the last run, which is gone from the disk when this returns; None if there is none.

        Raises:
            OSError: the folder can't be made, read or written. Its text says what to do.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("rb") as file:
                word = file.read(_MAX_SIZE)
            self._path.unlink()
            self._sync_folder()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OSError(
                f"how the last run ended is kept in {self._path}, which can't be used: {error.strerror}; "
                "see that state_folder is a folder where the router's user may write"
            ) from None
        return word.decode(errors="replace")

    def leave(self, word: str) -> None:
        """Write this run's word; on the disk when this returns.

        Raises:
            OSError: it can't be written; the next run will find none.
        """
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            with new.open("wb") as file:
                file.write(word.encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            self._sync_folder()
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise

    def _sync_folder(self) -> None:
        """Without it a name that was removed could be back after a power cut."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
