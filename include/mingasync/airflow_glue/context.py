"""Between Airflow and the product: reads Variables, Connections and the run's context for the tasks, and nothing else does."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, AssetAlias, BaseHook, Variable, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from include.mingasync.addresses import valid_address
from include.mingasync.airflow_glue import run_note
from include.mingasync.district import OUTLET, District, find_district
from include.mingasync.errors import MingaSyncError, MissingConnection
from include.mingasync.run import Kind, Run

if TYPE_CHECKING:
    import psycopg

    from include.mingasync.settings import Settings
    from include.mingasync.snapshot import Snapshot

log = logging.getLogger(__name__)

_KINDS: Mapping[str, Kind] = {"scheduled": "nightly", "backfill": "backfill"}
#: Airflow keeps no longer note of a run.
_LONGEST_NOTE = 1000
#: The keys of the configuration of a district's run.
CONFIGURATION = ("mode", "send_email", "accept_smaller", "accept_district")


def this_district(running: Any = None) -> District:
    """The district of the DAG whose task is running; ``running`` is Airflow's context where it is given and not current."""
    return find_district((running or get_current_context())["dag"].dag_id.removeprefix("mingasync_"))


def started_by(running: Any = None) -> str:
    """The name of whoever started the run that is going on; that of the product where nobody did."""
    return str(getattr((running or get_current_context())["dag_run"], "triggering_user_name", None) or "MingaSync")


def this_run(district: District, running: Any = None) -> Run:
    """What the DAG run that is going on means to the product (docs/names.md, Airflow)."""
    dag_run = (running or get_current_context())["dag_run"]
    conf = dag_run.conf or {}
    # A date to come, given by hand, would make every night until then an earlier one.
    at = min(dag_run.logical_date or dag_run.run_after, dt.datetime.now(dt.UTC))
    kind = _KINDS.get(str(getattr(dag_run.run_type, "value", dag_run.run_type)), "manual")
    return Run(
        district=district.slug,
        run_id=dag_run.run_id,
        kind="preview" if conf.get("mode") == "preview" else kind,
        logical_date=dag_run.logical_date or dag_run.run_after,
        night=at.astimezone(ZoneInfo(district.timezone)).date(),
        send_email=kind in ("nightly", "backfill") or bool(conf.get("send_email")),
    )


def configuration() -> Mapping[str, Any]:
    """What was asked for with the run that is going on, by key; nothing where nothing was."""
    return dict(get_current_context()["dag_run"].conf or {})


def refuse_unknown_wishes() -> None:
    """Nothing where the run's configuration has the known keys alone; else raise MingaSyncError, which names the others.

    Taken no notice of, a wish such as ``dry_run`` would be followed by the real thing.
    """
    if unknown := sorted(set(configuration()) - set(CONFIGURATION)):
        raise MingaSyncError(
            f"A run of a district knows no {', '.join(unknown)}: its configuration is {', '.join(CONFIGURATION)} alone. "
            'Start it without; {"mode": "preview"} works everything out and applies nothing. Nothing was changed.'
        )


def accepts_smaller() -> bool:
    """Whether a person said with this run that the smaller numbers of the SIS are right."""
    return bool(configuration().get("accept_smaller"))


def accepted_district() -> str | None:
    """The org that a person named with this run as the district that the SIS's data are of now; None where nobody did."""
    return str(configuration().get("accept_district") or "").strip() or None


def accepted() -> dict[str, Any]:
    """What a person said with this run is right, for the history."""
    return ({"smaller": True} if accepts_smaller() else {}) | ({"district": one} if (one := accepted_district()) else {})


def as_a_command() -> None:
    """Let this process, a command of its own, find what Airflow keeps in its database, as Airflow's own commands do."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def settings_text(district: District) -> str | None:
    """The settings Variable as it stands, None where there is none."""
    text: str | None = Variable.get(district.settings_variable, default=None)
    return text


def announce(district: District, extra: dict[str, Any]) -> None:
    """Tell Airflow that the district's directory was loaded: what waits for its Asset, or for the alias of all, runs now."""
    get_current_context()["outlet_events"][AssetAlias(OUTLET)].add(Asset(district.asset_uri), extra=extra)


def note(words: str, pages: Mapping[str, str]) -> None:
    """Hand on what the note of this run is to say in Airflow, with the page that says more (of those that ``links`` gives)."""
    more = f"\n\n[Roster result]({pages['results']})" if "results" in pages else ""
    get_current_context()["ti"].xcom_push(key=run_note.KEY, value=words[: _LONGEST_NOTE - len(more)] + more)


def connection_parts(connection_id: str, what_for: str, how: str) -> Any:
    """The Airflow Connection; MissingConnection says which is missing and how to add it."""
    try:
        return BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise MissingConnection(
            f"The Connection '{connection_id}' ({what_for}) is missing. Add it with: {how} "
            f"or set the environment variable AIRFLOW_CONN_{connection_id.upper()}. Nothing was changed."
        ) from None


@contextmanager
def directory() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the directory's database, closed afterwards; each step commits for itself."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from psycopg.rows import tuple_row

    connection_parts(
        "roster_db",
        "PostgreSQL with the people directory",
        "airflow connections add roster_db --conn-uri postgresql://user:password@host:5432/database",
    )
    # get_conn only: the hook's other methods log statements with their parameters, which are pupils' data.
    connection = cast("psycopg.Connection[Any]", PostgresHook("roster_db").get_conn())
    connection.autocommit = True
    connection.row_factory = tuple_row  # whatever kind of cursor the Connection names
    try:
        # A user whom row-level security holds back is told so, and never shown a part of the directory as if it were all.
        # No object that another role made in the schema public is called in place of PostgreSQL's own.
        connection.execute("set row_security = off; set search_path = pg_catalog, pg_temp")
        yield connection
    finally:
        connection.close()


def sis_connection(district: District) -> Any:
    """The Airflow Connection of the district's SIS; None for a CSV bundle that needs none."""
    if district.sis.source == "csv" and not district.sis.connection:
        try:
            return BaseHook.get_connection(district.connection_id)
        except AirflowNotFoundException:
            return None
    if district.sis.source == "csv":
        return connection_parts(
            district.connection_id,
            f"the login to the store of {district.name}'s bundle, named by sis.connection in the district file",
            f"airflow connections add {district.connection_id} --conn-type generic --conn-login USER --conn-password SECRET, "
            "or, where the bundle lies in a folder that needs no login, take sis.connection out of the district file,",
        )
    return connection_parts(
        district.connection_id,
        f"the OneRoster server of {district.name}",
        f"airflow connections add {district.connection_id} --conn-type http "
        "--conn-host https://sis.example.org/ims/oneroster/v1p1 --conn-login CLIENT_ID --conn-password CLIENT_SECRET "
        '--conn-extra \'{"auth": "oauth2", "token_url": "https://sis.example.org/token"}\'',
    )


def extra_of(district: District) -> Mapping[str, Any]:
    """The extra of the district's Connection, empty where there is none or it is none."""
    try:
        return dict(BaseHook.get_connection(district.connection_id).extra_dejson or {})
    except (AirflowNotFoundException, ValueError):
        return {}


def support_address() -> str | None:
    """Where those who run the product want to be written to, MINGASYNC_SUPPORT_EMAIL; None where it is not set or no address."""
    text = os.environ.get("MINGASYNC_SUPPORT_EMAIL", "").strip()
    found = valid_address(text) if text else None
    if text and found is None:
        log.warning(
            "MINGASYNC_SUPPORT_EMAIL is no address that a mail can go to, and is not used; write one such as help@example.org"
        )
    return found


def sis_access(district: District) -> Any:
    """How the district's SIS is spoken to, an ``oneroster.access.Access`` made from its Connection."""
    from include.mingasync.oneroster.access import Access

    own = sis_connection(district)
    if district.sis.source == "csv":
        return Access.to_bundle(district.sis.url or "", own.extra_dejson if own else {}, own and own.login, own and own.password)
    return Access.from_connection(
        host=own.host,
        schema=own.schema,
        port=own.port,
        login=own.login,
        password=own.password,
        extra=own.extra_dejson,
        conn_type=own.conn_type,
    )


def snapshots_root() -> str:
    """Where snapshots are kept: MINGASYNC_SNAPSHOTS, else a folder in Airflow's home."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return os.environ.get("MINGASYNC_SNAPSHOTS") or (home / "mingasync" / "snapshots").as_uri()


def snapshot_of(run: Run) -> Snapshot:
    """The snapshot of a run, whether it is there yet or not."""
    from include.mingasync.snapshot import Snapshot

    return Snapshot.of(snapshots_root(), run.district, run.run_id)


def forget_contacts(connection: psycopg.Connection[Any], district: str, settings: Settings, but: Collection[str] = ()) -> int:
    """In how many snapshots of a district parents' contacts that the settings do not want were found and taken out.

    The snapshots of runs that are going on are left to them, but for this run's own: ``but`` are the ids of the others.
    """
    from include.mingasync.contacts import Contacts, forget_unwanted
    from include.mingasync.directory import runs
    from include.mingasync.snapshot import Snapshot, folders_of

    wanted, root = Contacts.of(settings), snapshots_root()
    passed_by = {Snapshot.of(root, district, run_id).url for run_id in but}
    changed = {}
    for snapshot in folders_of(root, district):
        if snapshot.url not in passed_by and (proof := forget_unwanted(snapshot, wanted)):
            changed[snapshot.url] = proof
    for run_id in runs.every_run(connection, district) if changed else ():
        if proof := changed.get(Snapshot.of(root, district, run_id).url):
            runs.note_users(connection, district, run_id, proof.rows, proof.sha256)
    if changed:
        log.info("%s: parents' contacts that are not wanted any more were taken out of %s snapshots", district, len(changed))
    return len(changed)


def _airflow() -> str:
    """Where Airflow is, as people reach it."""
    from airflow.configuration import conf

    return str(conf.get("api", "base_url", fallback=None) or "http://localhost:8080").rstrip("/")


def console() -> str:
    """Where the console is, as people reach it."""
    from urllib.parse import urlsplit

    base = _airflow()
    # Airflow shows the console in a frame and mirrors the frame's whole path behind /plugin/rostering.
    return f"{base}/plugin/rostering{urlsplit(base).path}/rostering"


def links(district: District, run: Run) -> dict[str, str]:
    """Where a reader of the mail can look further: the run in Airflow, its pages in the console, its Required Action."""
    from urllib.parse import quote

    run_id, base = quote(run.run_id, safe=""), _airflow()
    return {
        "run": f"{base}/dags/{district.dag_id}/runs/{run_id}",
        "results": (results := f"{console()}/districts/{district.slug}/runs/{run_id}"),
        "decision": f"{results}/decision",
        "required_actions": f"{base}/dags/{district.dag_id}/runs/{run_id}/tasks/approve/required_actions",
    }


def decision_page() -> str:
    """Where what this run holds back can be approved or rejected."""
    district = this_district()
    return links(district, this_run(district))["decision"]


def states_of_tasks(running: Any = None) -> dict[str, str]:
    """The state of every task of this run, by task id."""
    context = running or get_current_context()
    run_id = context["dag_run"].run_id
    states = context["ti"].get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id])
    return {task: str(getattr(state, "value", state)) for task, state in states.get(run_id, {}).items()}


def state_of_run(dag_id: str, run_id: str) -> str | None:
    """The state that Airflow gives to a run of any DAG, None where it does not know the run or does not say."""
    try:
        state = get_current_context()["ti"].get_dagrun_state(dag_id=dag_id, run_id=run_id)
    except AirflowRuntimeError:
        return None
    return str(getattr(state, "value", state))


def is_tried_again() -> bool:
    """Whether Airflow starts the task that is running once more where it fails."""
    ti = get_current_context().get("ti")
    return ti is not None and int(ti.try_number) <= int(ti.max_tries)


def nobody_can_answer() -> bool:
    """Whether this is ``airflow dags test``, where no scheduler takes up an answer or a later retry."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

    return isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), InProcessSupervisorComms)
