"""What the task of ``mingasync_connect`` does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk import get_current_context

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.district import find_district
from include.mingasync.errors import MingaSyncError, SourceRefused

if TYPE_CHECKING:
    from include.mingasync.oneroster.connect import Check

log = logging.getLogger(__name__)


def _keep(running: Any, district: str, checks: list[Check] | None, problem: str | None = None) -> None:
    """Nothing; the page of the district's connection tells what was found, where the directory can be reached."""
    from include.mingasync.connecting.steps import keep_checks
    from include.mingasync.directory import schema

    told: list[dict[str, Any]] | None = None
    if checks is not None:
        told = [
            {
                "collection": one.collection,
                "shared": one.shared,
                "required": one.required,
                "words": one.note if one.shared else one.words,
            }
            for one in checks
        ]
    try:
        with context.directory() as connection:
            schema.bring_to_head(connection)
            who = context.started_by(running)
            keep_checks(connection, district, running["dag_run"].run_id, who, checks=told, problem=problem)
    except (MingaSyncError, psycopg.Error) as error:
        why = str(error) if isinstance(error, MingaSyncError) else type(error).__name__
        log.warning("The console is not told of this: the directory could not be written. %s", why)


def verify() -> dict[str, object]:
    """Each collection with null where it is shared, else with cause and cure."""
    from include.mingasync.oneroster.connect import check

    running = get_current_context()
    conf = {**running["params"], **(running["dag_run"].conf or {})}
    with in_plain_words():
        if not conf.get("district"):
            raise MingaSyncError('Say which district to verify: {"district": "<slug>"}. Nothing was changed.')
        district = find_district(conf["district"])
        try:
            checks = check(district, context.sis_access(district))
        except MingaSyncError as error:
            _keep(running, district.slug, None, str(error))
            raise
        _keep(running, district.slug, checks)
        missing = [one for one in checks if not one.shared]
        log.info("%s of %s resources of %s are shared", len(checks) - len(missing), len(checks), district.sis.name)
        for one in checks:
            if one.shared:
                log.info("%s: shared%s", one.collection, f" {one.note}" if one.note else "")
            else:
                need = "no sync without it" if one.required else "needed for class lists"
                log.warning("%s: not shared, %s (%s)", one.collection, one.words, need)
        if required := [one for one in missing if one.required]:
            # One cause may stand in the way of them all: it is told once.
            causes = {one.words: [other.collection for other in required if other.words == one.words] for one in required}
            told = " ".join(f"{', '.join(names)}: {words}" for words, names in causes.items())
            raise SourceRefused(
                f"{len(required)} resource(s) are missing that no sync can do without. {told} "
                "Verify again then. Nothing was changed."
            )
        return {one.collection: None if one.shared else one.words for one in checks}
