"""Bundles for tests: copies of the public samples, spoilt on purpose, and the district that reads them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from include.mingasync.district import Contact, District, Sis
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.bases import Bases
from include.mingasync.oneroster.read import read_collection
from include.mingasync.snapshot import Proof, Snapshot

_KEPT = Path(__file__).parents[2] / "samples"
#: What an Ed-Fi provider answered, a file of JSON per collection.
GRAND_BEND = _KEPT / "edfi-grandbend-1p2-json"


def _unfolded() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mingasync-samples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for bundle in _KEPT.glob("*.zip"):
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder / bundle.stem)
    return folder


#: The public CSV bundles, each a folder.
SAMPLES = _unfolded()


def district(url: str = "bundle", **sis: Any) -> District:
    """A district whose SIS is a bundle, or whatever the keywords make of it."""
    own = {"name": "Synergy", "source": "csv", "url": url} | sis
    return District(
        slug="maple",
        name="Maple",
        timezone="America/Chicago",
        sis=Sis(**own),
        contact=Contact(name="Ada", email="ada@maple.example"),
    )


def read(
    bundle: Path | str,
    collection: str,
    folder: Path,
    *,
    run: str = "run",
    parents: bool = False,
    previous: Snapshot | None = None,
    **extra: Any,
) -> tuple[list[dict[str, Any]], Proof, Snapshot]:
    """The rows of a collection of the bundle, its proof, and the snapshot they are in."""
    snapshot = Snapshot.of(str(folder / "snapshots"), "maple", run)
    access = Access.to_bundle(str(bundle), extra)
    proof = read_collection(collection, district(str(bundle)), access, snapshot, parents=parents, bases=Bases(previous))
    return snapshot.table(collection).to_pylist(), proof, snapshot


def sample(name: str, folder: Path) -> Path:
    """A copy of a public sample that a test may spoil."""
    return Path(shutil.copytree(SAMPLES / name, folder / name))


def small(folder: Path, **files: str) -> Path:
    """A bundle of the files given, by name without ``.csv``."""
    bundle = folder / "bundle"
    bundle.mkdir(exist_ok=True)
    for name, content in files.items():
        (bundle / f"{name}.csv").write_text(content, encoding="utf-8", newline="")
    return bundle


def zipped(bundle: Path) -> Path:
    """The folder's files as a zip beside it."""
    path = bundle.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(bundle.iterdir()):
            archive.write(file, file.name)
    return path
