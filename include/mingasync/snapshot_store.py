"""What the store of the snapshots refuses, in words for people."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from include.mingasync.errors import SnapshotStoreRefused

#: What a person mends at the store itself, and how.
_CURES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota",
    errno.EROFS: "let it be written",
    errno.EACCES: "let the user that runs Airflow's tasks write it",
    errno.EPERM: "let the user that runs Airflow's tasks write it",
    errno.EIO: "mend or replace the disk",
}


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Raise SnapshotStoreRefused for what the system refuses of a file; every other error goes through."""
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno or 0)
        if cure is None:
            raise
        raise SnapshotStoreRefused(
            f"The snapshot store refused a file ({error.strerror}). Nothing of this step was kept. It is the store that "
            f"MINGASYNC_SNAPSHOTS names: {cure}, then clear this task and everything after it."
        ) from error
