"""What the task of ``mingasync_connect`` does."""

from __future__ import annotations

import logging

from airflow.sdk import get_current_context

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.nightly import in_plain_words
from include.mingasync.district import find_district
from include.mingasync.errors import MingaSyncError, SourceRefused

log = logging.getLogger(__name__)


def verify() -> dict[str, object]:
    """Each collection with null where it is shared, else with cause and cure."""
    from include.mingasync.oneroster.connect import check

    running = get_current_context()
    conf = {**running["params"], **(running["dag_run"].conf or {})}
    with in_plain_words():
        if not conf.get("district"):
            raise MingaSyncError('Say which district to verify: {"district": "<slug>"}. Nothing was changed.')
        district = find_district(conf["district"])
        checks = check(district, context.sis_access(district))
        missing = [one for one in checks if not one.shared]
        log.info("%s of %s resources of %s are shared", len(checks) - len(missing), len(checks), district.sis.name)
        for one in checks:
            if one.shared:
                log.info("%s: shared", one.collection)
            else:
                need = "no sync without it" if one.required else "needed for class lists"
                log.warning("%s: not shared, %s (%s). %s", one.collection, one.cause, need, one.cure)
        if required := [one for one in missing if one.required]:
            told = " ".join(f"{one.collection}: {one.cause}. {one.cure}" for one in required)
            raise SourceRefused(
                f"{len(required)} resource(s) are missing that no sync can do without. {told} "
                "Verify again then. Nothing was changed."
            )
        return {one.collection: None if one.shared else f"{one.cause}. {one.cure}" for one in checks}
