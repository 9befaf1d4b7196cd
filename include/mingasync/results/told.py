"""What was told while the directory could not be asked: a small file beside the snapshots says when."""

from __future__ import annotations

import datetime as dt
import logging

import fsspec

log = logging.getLogger(__name__)


def told_at(root_url: str, what: str) -> dt.datetime | None:
    """When a mail about this went out; None also where the store cannot be read, as telling twice is better than not at all."""
    try:
        fs, path = fsspec.core.url_to_fs(_url(root_url, what))
        return dt.datetime.fromisoformat(fs.cat_file(path).decode()) if fs.exists(path) else None
    except Exception as error:
        log.warning("The snapshot store cannot say what was told already (%s)", type(error).__name__)
        return None


def note_told(root_url: str, what: str, now: dt.datetime) -> None:
    """Note that a mail about this went out now."""
    try:
        fs, path = fsspec.core.url_to_fs(_url(root_url, what))
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, now.isoformat().encode())
    except Exception as error:
        log.warning("The snapshot store does not take that this was told (%s)", type(error).__name__)


def _url(root_url: str, what: str) -> str:
    folder, _, name = what.rpartition("/")
    return "/".join(filter(None, (root_url.rstrip("/"), folder, f".told-{name}")))
