"""What is done on the page of a district's connection: the request, its mails, and the steps that a person says are done."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from include.mingasync.airflow_glue import connection_mails, context
from include.mingasync.connecting import steps
from include.mingasync.connecting.requests import Typed
from include.mingasync.connecting.steps import StepRefused
from include.mingasync.console import starting
from include.mingasync.console.reading import directory, writing
from include.mingasync.district import find_district
from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.csv_files import open_bundle


def ask(slug: str, request: Typed, who: str, shown: str) -> bool:
    """Whether the request was recorded, and both of its mails were tried; not where another one stands than was shown."""
    fields = {
        "district_name": request.district_name,
        "schools": list(request.schools),
        "sis_name": request.sis_name,
        "contact_name": request.contact_name,
        "contact_email": request.contact_email,
    }
    with writing() as connection:
        if not steps.ask(connection, slug, fields, who, shown):
            return False
        for kind in ("support", "checklist"):
            connection_mails.post(connection, slug, kind, who)
    return True


def send_again(slug: str, kind: str, who: str) -> str | None:
    """None once the mail server has taken the mail; else why it has not."""
    with writing() as connection:
        return connection_mails.post(connection, slug, kind, who)


def returned(slug: str, who: str) -> None:
    """Note that the SIS's credentials came back; StepRefused where they are not in Airflow, or it is not their turn."""
    if missing := why_not_returned(slug):
        raise StepRefused(missing)
    with writing() as connection:
        steps.stamp(connection, slug, "returned", who)


def verify(request: Request, slug: str, user: Any, pressed_at: str) -> None:
    """Start the run that asks the SIS what it shares, unless one goes on; StepRefused before the credentials came back."""
    with directory() as here:
        if not any(row["step"] == "returned" for row in here.rows("connection_steps", district=slug)):
            raise StepRefused("The step “verified” is not next: “returned” comes before it. Nothing was started.")
    conf = {"district": slug}
    if not starting.same_that_goes_on(starting.CONNECT, conf):
        starting.start(request, starting.CONNECT, user, conf, pressed_at, unpause=False)


def why_not_returned(slug: str) -> str | None:
    """What is still missing before the SIS can be asked, in words; None where the Connection, or the CSV files, are there."""
    try:
        district = find_district(slug)
        access = context.sis_access(district)
        if district.sis.source == "csv":
            with open_bundle(access):
                pass
    except MingaSyncError as error:
        return str(error)
    return None
