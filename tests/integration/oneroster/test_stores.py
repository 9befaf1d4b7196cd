"""Where a bundle may lie: on a disk, in S3 over TLS, or on an SFTP server that is the one that is known."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from include.mingasync.district import District
from include.mingasync.errors import SourceError, SourceRefused
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.connect import check
from include.mingasync.oneroster.read import read_collection
from include.mingasync.snapshot import Snapshot
from tests.integration.oneroster.sftp_server import LOGIN, PASSWORD, Server, serving
from tests.unit.oneroster.bundles import SAMPLES, district, zipped


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An SFTP server with the sample bundle as a folder and as a zip."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "folder").symlink_to(SAMPLES / "generated-1p1-small")
    (served / "bundle.zip").write_bytes(zipped(SAMPLES / "generated-1p1-small").read_bytes())
    with serving(served) as one:
        yield one


def users(url: str, tmp_path: Path, password: str = PASSWORD, **extra: Any) -> int:
    """How many users are read from a bundle."""
    of: District = district(url)
    snapshot = Snapshot.of(str(tmp_path / "snapshots"), of.slug, "run")
    return read_collection("users", of, Access.to_bundle(url, extra, LOGIN, password), snapshot, parents=True).rows


@pytest.mark.parametrize("path", ["folder", "bundle.zip"])
@pytest.mark.parametrize("how", ["as ssh-keyscan prints it", "as an .pub file", "one of a list", "a file of known hosts"])
def test_a_bundle_is_read_from_the_server_that_is_known(path: str, how: str, server: Server, tmp_path: Path) -> None:
    bare = f"{server.key.get_name()} {server.key.get_base64()}"
    other = paramiko.RSAKey.generate(2048)
    extra: dict[str, Any] = {
        "as ssh-keyscan prints it": {"host_key": server.line},
        "as an .pub file": {"host_key": f"{bare} root@sis"},
        "one of a list": {"host_key": [f"ssh-rsa {other.get_base64()}", bare]},
        "a file of known hosts": {"known_hosts": str(tmp_path / "known_hosts")},
    }[how]
    (tmp_path / "known_hosts").write_text(f"{server.line}\n")
    assert users(f"sftp://127.0.0.1:{server.port}/{path}", tmp_path, **extra) == 268


@pytest.mark.parametrize("extra", [{}, {"host_key_policy": "auto_add"}, {"known_hosts": "/dev/null"}, {"host_key": "AAAA"}])
def test_a_server_that_is_not_known_is_sent_nothing_and_the_cure_works(
    extra: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    url = f"sftp://127.0.0.1:{server.port}/folder"
    with pytest.raises(SourceRefused, match=r"host.*Nothing was changed") as refusal:
        users(url, tmp_path, **extra)
    assert server.passwords == []
    # What the message says to do: ask the server for its key, compare it, and put it into the Connection's extra.
    command = shlex.split(str(refusal.value).split("Print what the server shows with: ")[1].split("   ")[0])
    assert command == ["ssh-keyscan", "-p", str(server.port), "127.0.0.1"]
    line = asked(command, server)
    assert server.key.get_base64() in line, "as the vendor told"
    assert users(url, tmp_path, host_key=line) == 268


def asked(command: list[str], server: Server) -> str:
    """What the command prints; what it would print, where it is not installed."""
    if not shutil.which(command[0]):
        return server.line
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_a_server_with_another_key_is_sent_nothing(server: Server, tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate()
    with pytest.raises(SourceRefused, match=r"not the one that is known: it shows another host key. Nothing was sent to it"):
        users(f"sftp://127.0.0.1:{server.port}/folder", tmp_path, host_key=f"{key.get_name()} {key.get_base64()}")
    assert server.passwords == []


def test_a_wrong_password_is_told_as_such(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="refused the login"):
        users(f"sftp://127.0.0.1:{server.port}/folder", tmp_path, "wrong", host_key=server.line)


def test_a_server_that_is_away_is_tried_again_later(tmp_path: Path) -> None:
    with serving(tmp_path) as gone:
        pass
    with pytest.raises(SourceError, match="cannot be read") as error:
        users(f"sftp://127.0.0.1:{gone.port}/folder", tmp_path, host_key=gone.line)
    assert not isinstance(error.value, SourceRefused)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/bundle.zip", "http://127.0.0.1/bundle.zip", "https://sis.example.org/bundle.zip", "ssh://127.0.0.1/b",
        "smb://127.0.0.1/b", "zip://users.csv::http://127.0.0.1/b.zip", "simplecache::ftp://127.0.0.1/b", "file:///tmp/x::ftp://a/b",
        "github://a:b@/c", "data://,x", "HTTP://127.0.0.1/b",
    ],
)  # fmt: skip
def test_any_other_store_is_refused_before_it_is_asked(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"bundles are read from a path, s3://… or sftp://… only.*Nothing was changed"):
        users(url, tmp_path)
    assert all("s3://… or sftp://…" in (one.cause or "") for one in check(district(url), Access.to_bundle(url)))


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": "http://minio.example.org:9000"},
        {"client_kwargs": {"endpoint_url": "http://minio.example.org:9000"}},
        {"use_ssl": False},
        {"client_kwargs": {"verify": False}},
    ],
)
def test_a_store_without_tls_is_refused(extra: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"Use https|turns off the encryption"):
        users("s3://bucket/bundle.zip", tmp_path, **extra)
