"""Files for one owner: there whole or not at all, and on a disk readable by nobody else, whatever the umask says."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from include.mingasync.snapshot_store import refusals_in_words

_FOLDER, _FILE = 0o700, 0o600


def make_folder(fs: Any, path: str) -> None:
    """Make a folder and what is missing above it, for the owner only."""
    if not isinstance(fs, LocalFileSystem):
        fs.makedirs(path, exist_ok=True)
        return
    missing = [Path(path)]
    while not missing[-1].exists():
        missing.append(missing[-1].parent)
    for folder in reversed(missing[:-1]):
        with refusals_in_words(), suppress(FileExistsError):
            folder.mkdir(mode=_FOLDER)
            folder.chmod(_FOLDER)


@contextmanager
def writing(fs: Any, path: str) -> Iterator[IO[bytes]]:
    """A file that appears under ``path`` when all of it is written; two writers at once never mix.

    Raises SnapshotStoreRefused where a disk is full or may not be written; nothing of the file is left then.
    """
    part = f"{path}.{uuid.uuid4().hex[:8]}.part"
    if isinstance(fs, LocalFileSystem):
        with refusals_in_words(), _gone_unless_whole(part):
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE), "wb") as file:
                os.fchmod(file.fileno(), _FILE)
                yield file
            Path(part).replace(path)
    else:
        with fs.open(part, "wb") as file:
            yield file
        fs.mv(part, path)


@contextmanager
def _gone_unless_whole(part: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            Path(part).unlink(missing_ok=True)
        raise


def tighten(fs: Any, path: str) -> int:
    """How many files and folders at and below ``path`` were open to others and are no more; only a disk knows such modes."""
    if not isinstance(fs, LocalFileSystem) or not Path(path).exists():
        return 0
    tightened = 0
    for folder, _, files in os.walk(path):
        for one, wanted in ((Path(folder), _FOLDER), *((Path(folder, name), _FILE) for name in files)):
            # A file may be replaced or removed by a run that is going on.
            with suppress(FileNotFoundError):
                if not one.is_symlink() and one.stat().st_mode & 0o077:
                    one.chmod(wanted)
                    tightened += 1
    return tightened
