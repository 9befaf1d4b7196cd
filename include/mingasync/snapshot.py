"""What a run read from the SIS, kept as it was: one Parquet file per collection and the proof of its completeness.

A file counts only together with its proof, and what was made from the files (the records set aside, the derived tables) only
while every one of those proofs is still there: reading a collection again takes all of that back first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.oneroster.records import COLUMNS, READING_ORDER
from include.mingasync.private_files import make_folder, writing

if TYPE_CHECKING:
    import pandas as pd

#: The format that this version writes. It reads every older one, filling columns that are missing with nulls; derived tables of
#: an older one are made again. Version 1 is what was written before snapshots said their version.
FORMAT = 2
#: Where the mark of the proofs stands in a derived table: what it was made from.
_MADE_FROM = "made_from"
#: What a run leaves in its folder.
_OWN_FILE = re.compile(r"\.(parquet|json|zip|part)$")
#: Collections of one snapshot that were read further apart than this are not of one moment.
_ONE_MOMENT = dt.timedelta(hours=6)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the reading of one collection was; the totals are what the server said, where it says any."""

    collection: str
    state: str
    reason: str | None = None
    rows: int = 0
    #: rows without a readable sourcedId: the collection came whole, but whose these are is not known
    nameless: int = 0
    left_out_parents: int = 0
    total_at_start: int | None = None
    total_at_end: int | None = None
    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    sha256: str = ""
    #: whether parents were read along, for their contact data
    parents: bool | None = None
    #: of the students of which schools the contacts were kept, the default under the empty name; none: of all whose parents came
    contacts: dict[str, bool] | None = None
    #: whether only changes came and were merged into another snapshot, in a CSV bundle in delta mode
    delta: bool = False
    #: when everything was last read, where this night asked only for what changed since
    whole_at: dt.datetime | None = None
    started_at: dt.datetime
    finished_at: dt.datetime
    #: the format of the snapshot, see FORMAT
    version: int = 1


class _Digesting:
    """A file that is open for writing, and the digest of what was written to it: rows that are equal make equal files."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file, self.digest = file, sha256()

    def write(self, content: Any) -> int:
        """The number of bytes written."""
        self.digest.update(content)
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Snapshot:
    """The folder of one run. Nothing is believed until its proof is written, and that is written last.

    What one object reads is of one moment: a file that was read anew meanwhile is refused, not mixed in.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._path = fsspec.core.url_to_fs(self.url)
        self._seen: Mapping[str, Proof] | None = None

    @classmethod
    def of(cls, root_url: str, district: str, run_id: str) -> Snapshot:
        """The snapshot of a run, whether it is there yet or not."""
        folder = re.sub(r"[^A-Za-z0-9._-]", "-", run_id).strip(".") or "run"
        mark = sha256(run_id.encode()).hexdigest()[:8]
        return cls(f"{root_url.rstrip('/')}/{district}/{folder[:120]}-{mark}")

    def table(self, collection: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a collection; an empty table of the right columns when it was not read.

        Columns that an older version did not keep are null. Raises SnapshotUnusable for a snapshot of a newer version, and for
        a file that is not the one its proof speaks of.
        """
        schema = COLUMNS[collection]
        wanted = pa.schema([schema.field(name) for name in columns or schema.names])
        proof = self._proofs_seen().get(collection)
        if proof is None:
            return wanted.empty_table()
        try:
            content = self._fs.cat_file(self._file(collection, "parquet"))
        except FileNotFoundError:
            content = b""
        if not content and not proof.rows:
            return wanted.empty_table()
        if proof.version > 1 and proof.sha256 and sha256(content).hexdigest() != proof.sha256:
            raise SnapshotUnusable(
                f"1 file of the snapshot is not the one that was proven: {collection} was read anew meanwhile, or the file is "
                f"spoilt. Clear the task extract.{_task_of(collection)} and everything after it. Nothing was changed."
            )
        file = pq.ParquetFile(pa.BufferReader(content))
        there = file.read(columns=[name for name in wanted.names if name in file.schema_arrow.names])
        return pa.table(
            [
                there.column(field.name).cast(field.type)
                if field.name in there.column_names
                else pa.nulls(there.num_rows, field.type)
                for field in wanted
            ],
            schema=wanted,
        )

    def frame(self, collection: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of a collection for pandas."""
        return self.table(collection, columns).to_pandas()

    def write(self, collection: str, tables: Iterable[pa.Table]) -> tuple[int, str]:
        """Rows written and their digest; streamed, under another name until all of it is there.

        The proof of an earlier reading, and all that was made from it, go first.
        """
        self.forget(collection)
        return self._write_rows(collection, tables)

    def _write_rows(self, collection: str, tables: Iterable[pa.Table]) -> tuple[int, str]:
        schema, rows = COLUMNS[collection], 0
        make_folder(self._fs, self._path)
        with writing(self._fs, self._file(collection, "parquet")) as file:
            digesting = _Digesting(file)
            with pq.ParquetWriter(digesting, schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table.cast(schema))
                    rows += table.num_rows
        return rows, digesting.digest.hexdigest()

    def replace(self, proof: Proof, rows: pa.Table, derived: Mapping[str, Callable[[pa.Table], pa.Table]]) -> Proof:
        """The proof of a collection that now holds other rows; what was made from it stays, changed as ``derived`` says by name.

        Killed in the middle it leaves a file that is not the one its proof speaks of, which nobody reads.
        """
        self._seen = None
        made, told = self.made()
        changed = {name: derived[name](table) if name in derived else table for name, table in made.items()}
        return self.rewrite({proof.collection: (proof, rows)}, changed, told)[proof.collection]

    def made(self) -> tuple[dict[str, pa.Table], dict[str, Any]]:
        """The derived tables and the derived documents that were made from what is proven now, by name."""
        mark = self._mark()
        tables = {name: self.read_table(name) for name in self._derived("parquet") if self._is_from(name, mark)}
        return tables, {name: self.read_json(name) for name in self._derived("json") if self._is_from(name, mark, "json")}

    def rewrite(
        self, collections: Mapping[str, tuple[Proof, pa.Table]], tables: Mapping[str, pa.Table], documents: Mapping[str, Any]
    ) -> dict[str, Proof]:
        """The proofs of collections that now hold other rows, by name; of all that was made from them only what is given stays.

        Killed in the middle it leaves a file that is not the one its proof speaks of, which nobody reads.
        """
        self._seen = None
        for ending in ("parquet", "json"):
            for name in self._derived(ending):
                self._fs.rm_file(self._file(name, ending))
        proofs = {}
        for name, (proof, rows) in collections.items():
            number, digest = self._write_rows(name, [rows])
            proofs[name] = msgspec.structs.replace(proof, rows=number, sha256=digest)
            self.prove(proofs[name])
        for name, table in tables.items():
            self._write_table(name, self._marked(table))
        for name, content in documents.items():
            self.write_json(name, content)
        return proofs

    def finish_rewriting(self, changed: Proof) -> bool:
        """Whether the file of a collection, rewritten by somebody killed before its proof was, is proven now.

        ``changed``: the proof with the digest that was announced; any other file is left as it is.
        """
        try:
            content = self._fs.cat_file(self._file(changed.collection, "parquet"))
        except FileNotFoundError:
            return False
        if sha256(content).hexdigest() != changed.sha256:
            return False
        rows = pq.read_metadata(pa.BufferReader(content)).num_rows
        self.prove(msgspec.structs.replace(changed, rows=rows))
        return True

    def digest_of(self, collection: str, rows: pa.Table) -> str:
        """The digest that the file of a collection has once it holds these rows."""
        digesting = _Digesting(io.BytesIO())
        with pq.ParquetWriter(digesting, COLUMNS[collection], compression="zstd") as writer:
            writer.write_table(rows.cast(COLUMNS[collection]))
        return digesting.digest.hexdigest()

    def remove_strays(self) -> int:
        """How many files were removed that nothing proves any more: half-written ones, and those of earlier readings."""
        if not self._fs.exists(self._path):
            return 0
        self._seen = None
        mark, known = self._mark(), {"data_docs.zip"}
        for name in self.proofs():
            known |= {f"{name}.parquet", f"{name}.proof.json", f"unreadable_{name}.parquet"}
        for ending in ("parquet", "json"):
            known |= {f"{name}.{ending}" for name in self._derived(ending) if self._is_from(name, mark, ending)}
        every = [path for path in self._fs.ls(self._path, detail=False) if _OWN_FILE.search(path)]
        strays = [path for path in every if path.rsplit("/", 1)[-1] not in known]
        for path in strays:
            self._fs.rm_file(path)
        return len(strays)

    def _derived(self, ending: str) -> list[str]:
        """The names of the derived tables or documents that are there."""
        names = [path.rsplit("/", 1)[-1] for path in self._fs.ls(self._path, detail=False)]
        bare = [name.removesuffix(f".{ending}") for name in names if name.endswith(f".{ending}")]
        return [name for name in bare if not name.startswith("unreadable_") and name.split(".")[0] not in COLUMNS]

    def _is_from(self, name: str, mark: str, ending: str = "parquet") -> bool:
        """Whether a derived table or document was made from what is proven; a spoilt one does not say so."""
        content = self._fs.cat_file(self._file(name, ending))
        try:
            if ending == "json":
                document = json.loads(content)
                return isinstance(document, dict) and document.get(_MADE_FROM) == mark
            metadata = pq.read_table(pa.BufferReader(content)).schema.metadata
        except (ValueError, OSError):
            return False
        return bool((metadata or {}).get(_MADE_FROM.encode()) == mark.encode())

    def forget(self, collection: str) -> None:
        """Take back what an earlier reading of a collection left: its proof first, then all that was made from it."""
        self._seen = None
        if not self._fs.exists(self._path):
            return
        if self._fs.exists(self._file(collection, "proof.json")):
            self._fs.rm_file(self._file(collection, "proof.json"))
        others = [one for one in READING_ORDER if one != collection]
        kept = {f"{one}{ending}" for one in others for ending in (".parquet", ".proof.json")}
        kept |= {f"unreadable_{one}.parquet" for one in others}
        for path in self._fs.ls(self._path, detail=False):
            if path.rsplit("/", 1)[-1] not in kept:
                self._fs.rm_file(path)

    def prove(self, proof: Proof) -> None:
        """Keep the proof of a collection: from here on its file counts."""
        self._seen = None
        make_folder(self._fs, self._path)
        self._put(self._file(proof.collection, "proof.json"), msgspec.json.encode(msgspec.structs.replace(proof, version=FORMAT)))

    def proofs(self) -> dict[str, Proof]:
        """The proof of every collection that was read, by collection; SnapshotUnusable for those of a newer version."""
        found = ((collection, self.proof(collection)) for collection in READING_ORDER)
        return {collection: proof for collection, proof in found if proof is not None}

    def proof(self, collection: str) -> Proof | None:
        """The proof of one collection, None where it was not read to its end; raises as proofs."""
        try:
            content = self._fs.cat_file(self._file(collection, "proof.json"))
        except FileNotFoundError:
            return None
        version = msgspec.json.decode(content, type=_Versioned).version
        if version > FORMAT:
            raise SnapshotUnusable(
                f"The snapshot has format {version}, and this version of the product knows formats up to {FORMAT}: a newer "
                "one wrote it. Run that version again, or read the SIS anew by triggering a run. Nothing was changed."
            )
        return msgspec.json.decode(content, type=Proof)

    def _proofs_seen(self) -> Mapping[str, Proof]:
        """The proofs as they were when this object first read anything."""
        if self._seen is None:
            self._seen = self.proofs()
        return self._seen

    def _mark(self) -> str:
        """What stands for all that was read: another one as soon as any collection is read again."""
        proofs = [proof for _, proof in sorted(self._proofs_seen().items())]
        # Not the whole proofs: a later version may keep more in them.
        read = [(proof.collection, proof.sha256, proof.rows, proof.started_at.isoformat()) for proof in proofs]
        return sha256(json.dumps(read).encode()).hexdigest()

    def exists(self) -> bool:
        """Whether at least one collection was read."""
        return bool(self.proofs())

    def is_of_older_version(self) -> bool:
        """Whether a version wrote it that kept less of each record than this one."""
        return any(proof.version < FORMAT for proof in self.proofs().values())

    def copied_to(self, url: str, begun_at: dt.datetime) -> Snapshot:
        """What was read, under another address, as if its reading had begun at a moment; what was made from it is left out."""
        copy, later = Snapshot(url), begun_at - self.taken_at
        make_folder(copy._fs, copy._path)
        for name, proof in self._proofs_seen().items():
            for one in (name, f"unreadable_{name}"):
                if self._fs.exists(self._file(one, "parquet")):
                    copy._put(copy._file(one, "parquet"), self._fs.cat_file(self._file(one, "parquet")))
            moved = {"started_at": proof.started_at + later, "finished_at": proof.finished_at + later}
            copy._put(copy._file(name, "proof.json"), msgspec.json.encode(msgspec.structs.replace(proof, **moved)))
        return copy

    def is_whole(self) -> bool:
        """Whether every collection was read, or found absent."""
        return set(self.proofs()) == set(READING_ORDER)

    def is_usable(self) -> bool:
        """Whether every collection was read and this version of the product can read it."""
        try:
            return self.is_whole()
        except SnapshotUnusable:
            return False

    def require_whole(self) -> None:
        """Raise SnapshotUnusable, naming what to do, unless every collection was read."""
        missing = [name for name in READING_ORDER if name not in self.proofs()]
        if missing:
            raise SnapshotUnusable(
                f"{len(missing)} of {len(READING_ORDER)} collections were not read to their end: {', '.join(missing)}. "
                f"Clear the task extract.{_task_of(missing[0])} and everything after it. Nothing was changed."
            )

    def require_as_read(self) -> None:
        """Raise SnapshotUnusable, and take back what was made, where a collection is another one than this object read.

        To be called once something was made: whoever is erased meanwhile would stay in it.
        """
        mark = self._mark()
        if Snapshot(self.url)._mark() == mark:
            return
        for ending in ("parquet", "json"):
            for name in self._derived(ending):
                with contextlib.suppress(FileNotFoundError):
                    if self._is_from(name, mark, ending):
                        self._fs.rm_file(self._file(name, ending))
        raise SnapshotUnusable(
            "The snapshot was read or written anew while this task was at work. Clear the task validate and everything after it. "
            "Nothing was changed."
        )

    def incomplete_reasons(self) -> dict[str, str]:
        """Why each collection that is not whole is not; empty when all are."""
        proofs = self.proofs()
        reasons = {name: proof.reason or proof.state for name, proof in proofs.items() if proof.state == "incomplete"}
        return _of_other_moments(proofs) | reasons

    def has_only_changes(self) -> bool:
        """Whether what is not here may be missing because only changes were asked for."""
        return any(proof.state == "changes" for proof in self.proofs().values())

    @property
    def taken_at(self) -> dt.datetime:
        """When the reading of the first collection began, in UTC."""
        return min(proof.started_at for proof in self.proofs().values())

    def unreadable(self, collection: str | None = None) -> pd.DataFrame:
        """Rows that could not be decoded, of one collection or of all: resource, sourced_id, reason."""
        import pandas as pd

        names = [name for name in self._proofs_seen() if collection in (None, name)]
        paths = [self._file(f"unreadable_{name}", "parquet") for name in names]
        frames = [pq.read_table(pa.BufferReader(self._fs.cat_file(path))).to_pandas() for path in paths if self._fs.exists(path)]
        return pd.concat(frames) if frames else pd.DataFrame(columns=["resource", "sourced_id", "reason"])

    def keep_unreadable(self, collection: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """Keep the rows of a collection that could not be decoded: resource, sourced_id, reason."""
        import pandas as pd

        columns = ["resource", "sourced_id", "reason"]
        self._write_table(
            f"unreadable_{collection}", pa.Table.from_pandas(pd.DataFrame(list(rows), columns=columns, dtype=object))
        )

    def write_frame(self, name: str, frame: pd.DataFrame, schema: pa.Schema | None = None) -> None:
        """Keep a derived table, with the mark of what this object read and made it from; of these columns and types, if given."""
        self.write_table(name, arrow(frame, schema))

    def write_table(self, name: str, table: pa.Table) -> None:
        """As write_frame, of a table."""
        self._write_table(name, self._marked(table))

    def read_frame(self, name: str) -> pd.DataFrame:
        """A derived table for pandas; raises as read_table."""
        return self.read_table(name).to_pandas()

    def read_table(self, name: str) -> pa.Table:
        """A derived table; SnapshotUnusable when it is not there, or was made from anything but what is proven now."""
        path = self._file(name, "parquet")
        if not self._fs.exists(path):
            raise self._not_from_this(name)
        table = pq.read_table(pa.BufferReader(self._fs.cat_file(path)))
        if (table.schema.metadata or {}).get(_MADE_FROM.encode()) != self._mark().encode():
            raise self._not_from_this(name)
        return table

    def write_json(self, name: str, content: Any) -> None:
        """Keep a small derived document, with the mark of what this object read and made it from."""
        make_folder(self._fs, self._path)
        self._put(self._file(name, "json"), json.dumps({_MADE_FROM: self._mark(), "content": content}).encode())

    def read_json(self, name: str) -> Any:
        """A small derived document, None when there is none; SnapshotUnusable as with read_frame."""
        path = self._file(name, "json")
        if not self._fs.exists(path):
            return None
        document = json.loads(self._fs.cat_file(path))
        if document.get(_MADE_FROM) != self._mark():
            raise self._not_from_this(name)
        return document["content"]

    def _marked(self, table: pa.Table) -> pa.Table:
        return table.replace_schema_metadata((table.schema.metadata or {}) | {_MADE_FROM.encode(): self._mark().encode()})

    def _not_from_this(self, name: str) -> SnapshotUnusable:
        task = "transform" if name.startswith("derived") else "validate"
        return SnapshotUnusable(
            f"1 table is not there, or was made from something else than the snapshot holds now: {name}. "
            f"Clear the task {task} and everything after it. Nothing was changed."
        )

    def _write_table(self, name: str, table: pa.Table) -> None:
        make_folder(self._fs, self._path)
        with writing(self._fs, self._file(name, "parquet")) as file:
            pq.write_table(table, file)

    def keep_data_docs(self, archive: bytes) -> None:
        """Keep the zip of the run's Data Docs."""
        make_folder(self._fs, self._path)
        self._put(self._file("data_docs", "zip"), archive)

    def data_docs(self, page: str) -> bytes | None:
        """A page of the run's Data Docs, None when there is none."""
        path = self._file("data_docs", "zip")
        if not self._fs.exists(path):
            return None
        with zipfile.ZipFile(io.BytesIO(self._fs.cat_file(path))) as archive:
            return archive.read(page) if page in archive.namelist() else None

    def written_at(self) -> dt.datetime:
        """When the newest file was written, in UTC; now where the store does not tell."""
        found = [
            next((entry[key] for key in ("mtime", "LastModified", "last_modified", "updated", "created") if entry.get(key)), None)
            for entry in self._fs.ls(self._path, detail=True)
        ]
        times = [_moment(one) for one in found if one is not None]
        return max(times, default=dt.datetime.now(dt.UTC))

    def looks_like_one(self) -> bool:
        """Whether the folder holds files as a run leaves them and nothing else."""
        entries = self._fs.ls(self._path, detail=True)
        return bool(entries) and all(one["type"] == "file" and _OWN_FILE.search(one["name"]) for one in entries)

    def delete(self) -> None:
        """Remove the snapshot."""
        self._fs.rm(self._path, recursive=True)

    def delete_if_there(self) -> None:
        """Remove the snapshot, however much of it was written."""
        if self._fs.exists(self._path):
            self.delete()

    def _file(self, name: str, ending: str) -> str:
        return f"{self._path}/{name}.{ending}"

    def _put(self, path: str, content: bytes) -> None:
        with writing(self._fs, path) as file:
            file.write(content)


def arrow(frame: pd.DataFrame, schema: pa.Schema | None = None) -> pa.Table:
    """The frame's rows, of these columns and types, if given; of a frame without rows pandas cannot tell any."""
    if schema is not None and frame.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(frame, schema, preserve_index=False)


def snapshots_of(root_url: str, district: str) -> list[Snapshot]:
    """The whole snapshots of a district that this version can read, newest first."""
    return sorted((one for one in folders_of(root_url, district) if one.is_usable()), key=lambda one: one.taken_at, reverse=True)


def district_folders(root_url: str) -> list[str]:
    """The names of the folders that districts may have left in the store."""
    fs, path = fsspec.core.url_to_fs(root_url.rstrip("/"))
    if not fs.exists(path):
        return []
    return sorted(one["name"].rstrip("/").rsplit("/", 1)[-1] for one in fs.ls(path, detail=True) if one["type"] == "directory")


def newest_loaded(root_url: str, district: str, loaded: Iterable[tuple[str, Mapping[str, Any]]]) -> Snapshot | None:
    """The newest snapshot to build on: of a run whose load is in the directory, and still what that run loaded.

    ``loaded``: run id and ``sync_runs.collections`` of each run that was loaded, newest snapshot first. What was judged critical,
    or read by a preview, was never loaded.
    """
    return next((one for one in loaded_before(root_url, district, loaded) if one is not None), None)


def loaded_before(
    root_url: str, district: str, loaded: Iterable[tuple[str, Mapping[str, Any]]], moment: dt.datetime | None = None
) -> Iterator[Snapshot | None]:
    """The snapshots of runs that were loaded (as in ``newest_loaded``), newest first, of those that were taken before a moment;
    None for each that is not there any more, or not as it was loaded."""
    for run_id, collections in loaded:
        snapshot = Snapshot.of(root_url, district, run_id)
        if not snapshot.is_usable() or any(
            proof.sha256 != collections.get(name, {}).get("sha256") for name, proof in snapshot.proofs().items()
        ):
            yield None
        elif moment is None or snapshot.taken_at < moment:
            yield snapshot


def folders_of(root_url: str, district: str) -> list[Snapshot]:
    """Every folder that a run of a district left, whole or not."""
    fs, path = fsspec.core.url_to_fs(f"{root_url.rstrip('/')}/{district}")
    if not fs.exists(path):
        return []
    return [Snapshot(fs.unstrip_protocol(one["name"])) for one in fs.ls(path, detail=True) if one["type"] == "directory"]


def _moment(value: Any) -> dt.datetime:
    """A moment as the stores tell it: seconds, text, or a time."""
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    time = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


class _Versioned(msgspec.Struct):
    """What a proof of any version has."""

    version: int = 1


def _task_of(collection: str) -> str:
    """The task that reads a collection."""
    return {"academicSessions": "terms"}.get(collection, collection)


def _of_other_moments(proofs: Mapping[str, Proof]) -> dict[str, str]:
    """Which collections were read long before the last one, as when the reading of one was cleared alone a day later."""
    if not proofs:
        return {}
    in_order = sorted(proofs.values(), key=lambda proof: proof.started_at)
    moment, earlier = [in_order[0]], []
    for proof in in_order[1:]:
        if proof.started_at - max(one.finished_at for one in moment) > _ONE_MOMENT:
            earlier += moment
            moment = []
        moment.append(proof)
    return {
        one.collection: f"read at {one.started_at:%Y-%m-%d %H:%M} UTC, hours before {moment[0].collection}; read both again"
        for one in earlier
    }
