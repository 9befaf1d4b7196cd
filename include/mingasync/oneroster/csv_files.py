"""The files of a OneRoster CSV bundle, zip or folder, wherever fsspec reaches; a hostile zip is refused."""

from __future__ import annotations

import codecs
import csv
import io
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

import fsspec

from include.mingasync.errors import SourceError, SourceRefused
from include.mingasync.oneroster.access import KEYS, OF_AIRFLOW, Access, refuse_plain_http
from include.mingasync.oneroster.csv_columns import FIELDS, day_order, is_dated
from include.mingasync.oneroster.repairing import HALVES, without_halves

_LARGEST = 4 * 1024**3  # bytes that a zip may unfold to
_EXPANSION = 100  # times its own size that a zip may unfold to
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 22
#: What becomes of bytes that are no characters, by encoding: halves of surrogate pairs, to be found again.
_ODD = {"utf-8-sig": "surrogateescape", "cp1252": "surrogateescape", "utf-16": "surrogatepass"}
#: Where a bundle may lie: on a disk, in this process (tests), in S3, or on an SFTP server.
_STORES = frozenset({"", "file", "memory", "s3", "s3a", "sftp"})
_LOGIN = {"s3": ("key", "secret"), "s3a": ("key", "secret")}

csv.field_size_limit(_CHUNK)


class Files:
    """The CSV files of one open bundle, by name in lower case."""

    def __init__(self, fs: Any, paths: dict[str, str], archive: zipfile.ZipFile | None) -> None:
        self._fs, self._paths, self._archive = fs, paths, archive
        self._open_ended: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._paths

    def _open(self, name: str) -> IO[bytes]:
        path = self._paths[name.lower()]
        return self._archive.open(path) if self._archive else self._fs.open(path, "rb")

    def rows(self, name: str) -> Iterator[list[str]]:
        """The rows of ``<name>.csv``, the header first, blank lines left out; what is no character is UNREADABLE."""
        encoding, is_odd = self._encoding(name)
        with self._open(name) as raw, io.TextIOWrapper(raw, encoding, _ODD[encoding], newline="") as text:
            try:
                rows = (row for row in csv.reader(self._lines(name, text)) if any(cell.strip() for cell in row))
                yield from (map(_readable, rows) if is_odd else rows)
            except csv.Error:
                raise SourceError(
                    f"{name}.csv cannot be read as CSV: a quote is not closed or a cell is too long. "
                    "Export the bundle again. Nothing was changed."
                ) from None
            except UnicodeDecodeError:
                raise SourceError(
                    f"{name}.csv ends in the middle of a character. Check that the export was uploaded to its end. "
                    "Nothing was changed."
                ) from None

    def is_open_ended(self, name: str) -> bool:
        """Whether ``<name>.csv``, whose rows were read to the last, has no end of a line there: it may not be all of the file."""
        return name.lower() in self._open_ended

    def _lines(self, name: str, text: io.TextIOWrapper) -> Iterator[str]:
        read = 0
        while line := text.readline(_LONGEST_LINE):
            read += len(line)
            if not line.endswith(("\n", "\r")):
                self._open_ended.add(name.lower())
            if len(line) == _LONGEST_LINE or read > _LARGEST:
                raise SourceError(
                    f"{name}.csv was not read to its end: a line has more than {_LONGEST_LINE:,} characters, or the file has "
                    f"more than {_LARGEST // 1024**3} GB. No roster is so large; export the bundle again. Nothing was changed."
                )
            yield line

    @cache  # noqa: B019 - as long as the bundle is open
    def _encoding(self, name: str) -> tuple[str, bool]:
        """How ``<name>.csv`` is encoded, and whether some of its bytes are no characters of it."""
        with self._open(name) as raw:
            start = raw.read(2)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16", True
        odd = others = 0
        decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        with self._open(name) as raw:
            while chunk := raw.read(_CHUNK):
                text = decoder.decode(chunk)
                if not text.isascii():
                    more_odd = len(HALVES.findall(text))
                    odd += more_odd
                    others += sum(one > "\x7f" for one in text) - more_odd
        return ("cp1252", True) if odd > others else ("utf-8-sig", bool(odd))

    @cached_property
    def month_first(self) -> bool | None:
        """Whether the bundle's slashed dates put the month first; None when no date shows it, or the files contradict each other.

        One exporter writes all files of a bundle, so that the dates of any of them count.
        """
        orders: set[str] = set()
        for name in sorted(set(FIELDS) & set(map(_spelled, self._paths))):
            rows = self.rows(name)
            dated = [place for place, header in enumerate(next(rows, [])) if is_dated(header)]
            for cells in rows if dated else ():
                for place in dated:
                    if place < len(cells) and "/" in cells[place]:
                        orders |= day_order(cells[place])
                if len(orders) > 1:
                    return None
        return orders == {"month"} if orders else None


def _readable(cells: list[str]) -> list[str]:
    return [cell if cell.isascii() else without_halves(cell) for cell in cells]


def _spelled(name: str) -> str:
    """A collection's name as OneRoster spells it, of a file's name in lower case."""
    return next((one for one in FIELDS if one.lower() == name), name)


@contextmanager
def open_bundle(access: Access) -> Iterator[Files]:
    """The files of the bundle at the access's address; SourceError when it is unreadable or hostile."""
    with ExitStack() as stack:
        try:
            fs, path = _store(access)
            files = _folder(fs, path) if fs.isdir(path) else _zip(fs, path, stack)
        except (SourceError, MemoryError):
            raise
        except FileNotFoundError:
            raise SourceError(
                "There is no bundle at the district's url: neither a folder nor a zip is there. "
                "Check sis.url of the district file, and that the SIS has exported. Nothing was changed."
            ) from None
        except ImportError as error:
            raise SourceError(
                f"The bundle's store needs the Python package {error.name or 'for its protocol'}, "
                "which is not installed. "
                "Add it to requirements.txt. Nothing was changed."
            ) from None
        except Exception as error:
            # What stores say may hold addresses and keys, and every store has errors of its own: only the
            # kind is said.
            raise _unreachable(error) from None
        try:
            yield files
        except (OSError, EOFError, zipfile.BadZipFile) as error:
            raise _unreachable(error) from None


def _store(access: Access) -> tuple[Any, str]:
    """The store that holds the bundle, and its path there; SourceRefused for one that anybody between can read or answer for."""
    url, options = access.root_url, _storage_options(access)
    scheme = url.split("://")[0].lower() if "://" in url else ""
    if scheme not in _STORES or "::" in url:
        raise SourceRefused(
            f"sis.url begins with '{scheme}' or leads through another store; bundles are read from a path, s3://… or sftp://… "
            "only. Have the SIS export to one of them and write its address into the district file. Nothing was changed."
        )
    if scheme == "sftp":
        from include.mingasync.oneroster.sftp import sftp_at

        return sftp_at(url, options)
    if scheme.startswith("s3"):
        _refuse_plain_s3(options)
    fs, path = fsspec.core.url_to_fs(url, **options)
    return fs, path


def _refuse_plain_s3(options: Mapping[str, Any]) -> None:
    """Raise SourceRefused for options that would send bundle and keys unencrypted, or to whoever answers."""
    client = options.get("client_kwargs") or {}
    endpoint = options.get("endpoint_url") or client.get("endpoint_url")
    if endpoint:
        try:
            refuse_plain_http(endpoint)
        except SourceError as refusal:
            raise SourceRefused(str(refusal)) from None
    for name, plain in (("use_ssl", False), ("verify", False)):
        if options.get(name, True) is plain or client.get(name, True) is plain:
            raise SourceRefused(
                f"The Connection's extra turns off the encryption or the proof of the store ('{name}'). Remove it. "
                "Nothing was changed."
            )


def _unreachable(error: Exception) -> SourceError:
    return SourceError(
        f"The bundle cannot be read ({type(error).__name__}). Check sis.url, the Connection's login, "
        "and that the export was uploaded to its end. Nothing was changed."
    )


def _storage_options(access: Access) -> dict[str, Any]:
    # Neither what is about REST, nor what Airflow's form wrote.
    options = {key: value for key, value in access.extra.items() if key not in KEYS and not OF_AIRFLOW.fullmatch(key)}
    names = _LOGIN.get(urlsplit(access.root_url).scheme, ("username", "password"))
    given = zip(names, (access.client_id, access.client_secret), strict=True)
    return options | {name: value for name, value in given if value and name not in options}


def _folder(fs: Any, path: str) -> Files:
    return Files(fs, _by_name([entry for entry in fs.ls(path, detail=False) if fs.isfile(entry)]), None)


def _zip(fs: Any, path: str, stack: ExitStack) -> Files:
    size = fs.size(path) or 0
    raw = stack.enter_context(fs.open(path, "rb"))
    try:
        archive = stack.enter_context(zipfile.ZipFile(raw))
    except zipfile.BadZipFile:
        raise SourceError(
            "The bundle is neither a folder nor a whole zip. Check sis.url, and that the upload was "
            "finished. "
            "Nothing was changed."
        ) from None
    refuse_hostile(archive, size)
    return Files(fs, _by_name([one.filename for one in archive.infolist() if not one.is_dir()]), archive)


def refuse_hostile(archive: zipfile.ZipFile, size: int) -> None:
    """Raise SourceError for a zip that reaches outside itself, unfolds beyond measure, or is locked."""
    entries = archive.infolist()
    for entry in entries:
        name = PurePosixPath(entry.orig_filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] if name.parts else True:
            raise _hostile("an entry's name points outside the zip")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _hostile("an entry is a symbolic link")
        if entry.flag_bits & 1:
            raise _hostile("an entry is locked with a password")
    unfolded = sum(entry.file_size for entry in entries)
    if unfolded > _LARGEST:
        raise _hostile("it unfolds to more than 4 GB")
    if unfolded > _EXPANSION * max(size, 1):
        raise _hostile(f"it unfolds to more than {_EXPANSION} times its size")


def _hostile(cause: str) -> SourceError:
    return SourceError(
        f"The bundle was refused before anything of it was read: {cause}. "
        "Ask whoever made the zip for a plain export. Nothing was changed."
    )


def _by_name(paths: list[str]) -> dict[str, str]:
    """Path of each CSV file by its bare name in lower case; hidden files are left out."""
    found: dict[str, str] = {}
    for path in paths:
        name = PurePosixPath(path.replace("\\", "/"))
        if name.suffix.lower() != ".csv" or name.name.startswith(".") or "__MACOSX" in name.parts:
            continue
        if name.stem.lower() in found:
            raise SourceError(
                f"2 files of the bundle are called {name.name}, so which one counts cannot be known. "
                "Remove one. Nothing was changed."
            )
        found[name.stem.lower()] = path
    return found
