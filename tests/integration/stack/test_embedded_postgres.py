"""The embedded server is a real one: loopback only, password asked, survives the death of its owner."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from stack import postgres as embedded
from stack.home import REPOSITORY
from stack.postgres import EmbeddedPostgres, embedded_postgres
from tests.waiting import PATIENCE, until


def test_speaks_postgresql_18(database: str) -> None:
    with psycopg.connect(database) as connection:
        version, encoding = connection.execute(
            "select current_setting('server_version_num')::int, current_setting('server_encoding')"
        ).fetchone()  # type: ignore[misc]
    assert version // 10000 == 18
    assert encoding == "UTF8"


def test_each_test_gets_an_empty_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from pg_namespace where nspname = 'directory'").fetchone() == (0,)


def test_listens_on_loopback_only_and_asks_for_the_password(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    listening = [c.laddr for c in psutil.Process(postgres.pid).net_connections("inet") if c.status == "LISTEN"]
    assert [address.ip for address in listening] == ["127.0.0.1"]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{postgres.port}/postgres")
    assert (postgres.folder / "pgpassword").stat().st_mode & 0o777 == 0o600


def test_data_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, durable=False)
    try:
        server.start()
        server.ensure_database("roster")
        with psycopg.connect(server.dsn("roster", "roster")) as connection:
            connection.execute("create table kept as select 1 as one")
        server.stop()
        assert server.pid is None
        server.start()
        with psycopg.connect(server.dsn("roster")) as connection:
            assert connection.execute("select one from kept").fetchone() == (1,)
    finally:
        server.stop()
        server.remove()


def test_nothing_is_left_of_a_server_whose_process_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stack.postgres import embedded_postgres\n"
        "with embedded_postgres(Path(sys.argv[1])) as server: print(server.pid, server.data, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as owner:
        assert owner.stdout is not None
        pid, data = owner.stdout.readline().split()
        server = psutil.Process(int(pid))
        owner.kill()
    server.wait(PATIENCE)
    until(lambda: not Path(data).exists() and not (tmp_path / "pgpassword").exists())


def test_a_server_that_outlived_its_owner_is_replaced(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as first:
        left_over = first.pid
        second = EmbeddedPostgres(tmp_path, durable=False)
        second.start()
        assert left_over is not None
        assert second.pid not in (None, left_over)
        assert not psutil.pid_exists(left_over) or psutil.Process(left_over).status() == psutil.STATUS_ZOMBIE
        second.stop()


def test_a_lock_file_with_a_recycled_pid_does_not_stop_the_start_nor_that_process(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, durable=False)
    try:
        server.start()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server._process.wait()  # type: ignore[union-attr]
        lock = server.data / "postmaster.pid"
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        server.start()
        assert server.pid not in (None, os.getpid())
    finally:
        server.stop()
        server.remove()


def test_emptying_a_database_cuts_off_who_is_connected(postgres: EmbeddedPostgres) -> None:
    postgres.ensure_database("emptied")
    with psycopg.connect(postgres.dsn("emptied", "emptied"), autocommit=True) as connection:
        connection.execute("create table gone as select 1 as one")
        postgres.empty_database("emptied")
    with psycopg.connect(postgres.dsn("emptied")) as connection:
        assert connection.execute("select to_regclass('gone')").fetchone() == (None,)


def test_starts_where_its_programs_and_its_folder_are_closed_to_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clone under /root, say: root's server runs as another user, who may not even look in there.
    package = embedded._packaged_binaries().parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall18", closed / package.name / "pginstall18", symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    monkeypatch.setattr(embedded, "_packaged_binaries", lambda: closed / package.name / "pginstall18")
    monkeypatch.setattr(embedded, "ROOTS_PLACE", place)
    try:
        with embedded_postgres(closed / "state") as server, psycopg.connect(server.dsn()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert not list(place.glob("pgdata-*"))
    finally:
        shutil.rmtree(place)
