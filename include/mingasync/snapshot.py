"""What a run read from the SIS, kept as it was: one Parquet file per collection and the proof of its completeness."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from include.mingasync.oneroster.records import COLUMNS, READING_ORDER

if TYPE_CHECKING:
    import pandas as pd


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
    #: when everything was last read, where this night asked only for what changed since
    whole_at: dt.datetime | None = None
    started_at: dt.datetime
    finished_at: dt.datetime


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
    """The folder of one run. Nothing is believed until its proof is written, and that is written last."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._path = fsspec.core.url_to_fs(self.url)

    @classmethod
    def of(cls, root_url: str, district: str, run_id: str) -> Snapshot:
        """The snapshot of a run, whether it is there yet or not."""
        folder = re.sub(r"[^A-Za-z0-9._-]", "-", run_id).strip(".") or "run"
        mark = sha256(run_id.encode()).hexdigest()[:8]
        return cls(f"{root_url.rstrip('/')}/{district}/{folder[:120]}-{mark}")

    def table(self, collection: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a collection; an empty table of the right columns when it was not read."""
        schema = COLUMNS[collection]
        if not self._fs.exists(self._file(collection, "parquet")):
            return schema.empty_table().select(list(columns or schema.names))
        with self._fs.open(self._file(collection, "parquet"), "rb") as file:
            return pq.read_table(file, columns=list(columns) if columns else None)

    def frame(self, collection: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of a collection for pandas."""
        return self.table(collection, columns).to_pandas()

    def write(self, collection: str, tables: Iterable[pa.Table]) -> tuple[int, str]:
        """Rows written and their digest; streamed, under another name until all of it is there."""
        schema, rows = COLUMNS[collection], 0
        self._fs.makedirs(self._path, exist_ok=True)
        part = self._file(collection, "part")
        with self._fs.open(part, "wb") as file:
            digesting = _Digesting(file)
            with pq.ParquetWriter(digesting, schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table.cast(schema))
                    rows += table.num_rows
        self._fs.mv(part, self._file(collection, "parquet"))
        return rows, digesting.digest.hexdigest()

    def prove(self, proof: Proof) -> None:
        """Keep the proof of a collection: from here on its file counts."""
        self._fs.makedirs(self._path, exist_ok=True)
        self._put(self._file(proof.collection, "proof.json"), msgspec.json.encode(proof))

    def proofs(self) -> dict[str, Proof]:
        """The proof of every collection that was read, by collection."""
        found = {}
        for collection in READING_ORDER:
            if self._fs.exists(self._file(collection, "proof.json")):
                content = self._fs.cat_file(self._file(collection, "proof.json"))
                found[collection] = msgspec.json.decode(content, type=Proof)
        return found

    def exists(self) -> bool:
        """Whether at least one collection was read."""
        return bool(self.proofs())

    def is_whole(self) -> bool:
        """Whether every collection was read, or found absent."""
        return set(self.proofs()) == set(READING_ORDER)

    def incomplete_reasons(self) -> dict[str, str]:
        """Why each collection that proves no absence does not; empty when all do."""
        reasons = {name: proof.reason or proof.state for name, proof in self.proofs().items() if proof.state == "incomplete"}
        unknown = "rows came without a readable sourcedId, so whose they are is not known"
        return {name: f"{proof.nameless} {unknown}" for name, proof in self.proofs().items() if proof.nameless} | reasons

    def has_only_changes(self) -> bool:
        """Whether what is not here may be missing because only changes were asked for."""
        return any(proof.state == "changes" for proof in self.proofs().values())

    @property
    def taken_at(self) -> dt.datetime:
        """When the reading of the first collection began, in UTC."""
        return min(proof.started_at for proof in self.proofs().values())

    def unreadable(self) -> pd.DataFrame:
        """Rows that could not be decoded: resource, sourced_id, reason."""
        import pandas as pd

        frames = [
            self.read_frame(f"unreadable_{name}")
            for name in READING_ORDER
            if self._fs.exists(self._file(f"unreadable_{name}", "parquet"))
        ]
        return pd.concat(frames) if frames else pd.DataFrame(columns=["resource", "sourced_id", "reason"])

    def keep_unreadable(self, collection: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """Keep the rows of a collection that could not be decoded: resource, sourced_id, reason."""
        import pandas as pd

        columns = ["resource", "sourced_id", "reason"]
        self.write_frame(f"unreadable_{collection}", pd.DataFrame(list(rows), columns=columns, dtype=object))

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a derived table."""
        self._fs.makedirs(self._path, exist_ok=True)
        with self._fs.open(self._file(name, "part"), "wb") as file:
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
        self._fs.mv(self._file(name, "part"), self._file(name, "parquet"))

    def read_frame(self, name: str) -> pd.DataFrame:
        """A derived table."""
        with self._fs.open(self._file(name, "parquet"), "rb") as file:
            return pq.read_table(file).to_pandas()

    def write_json(self, name: str, content: Any) -> None:
        """Keep a small derived document."""
        self._put(self._file(name, "json"), json.dumps(content).encode())

    def read_json(self, name: str) -> Any:
        """A small derived document, None when there is none."""
        path = self._file(name, "json")
        return json.loads(self._fs.cat_file(path)) if self._fs.exists(path) else None

    def keep_data_docs(self, archive: bytes) -> None:
        """Keep the zip of the run's Data Docs."""
        self._fs.makedirs(self._path, exist_ok=True)
        self._put(self._file("data_docs", "zip"), archive)

    def data_docs(self, page: str) -> bytes | None:
        """A page of the run's Data Docs, None when there is none."""
        path = self._file("data_docs", "zip")
        if not self._fs.exists(path):
            return None
        with zipfile.ZipFile(io.BytesIO(self._fs.cat_file(path))) as archive:
            return archive.read(page) if page in archive.namelist() else None

    def delete(self) -> None:
        """Remove the snapshot."""
        self._fs.rm(self._path, recursive=True)

    def _file(self, name: str, ending: str) -> str:
        return f"{self._path}/{name}.{ending}"

    def _put(self, path: str, content: bytes) -> None:
        with self._fs.open(f"{path}.part", "wb") as file:
            file.write(content)
        self._fs.mv(f"{path}.part", path)


def snapshots_of(root_url: str, district: str) -> list[Snapshot]:
    """The whole snapshots of a district, newest first."""
    fs, path = fsspec.core.url_to_fs(f"{root_url.rstrip('/')}/{district}")
    if not fs.exists(path):
        return []
    folders = [Snapshot(fs.unstrip_protocol(entry)) for entry in fs.ls(path, detail=False)]
    return sorted((one for one in folders if one.is_whole()), key=lambda one: one.taken_at, reverse=True)
