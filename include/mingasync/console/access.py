"""Who may see what: a login for all, a district for readers of its DAG, writes from our own pages."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request

from include.mingasync.district import RESERVED, SLUG

#: The same words whether the district exists or not, so that nobody learns which districts there are.
NO_DISTRICT = "There is no such district among those you may read."
_PREFIX = "mingasync_"
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


def slug_of(dag_id: str) -> str | None:
    """The district that a DAG syncs, None for every other DAG."""
    slug = dag_id.removeprefix(_PREFIX)
    is_roster = dag_id.startswith(_PREFIX) and SLUG.fullmatch(slug) and slug not in RESERVED
    return slug if is_roster else None


def readable_districts(user: GetUserDep) -> frozenset[str]:
    """The slugs of the districts whose DAG the user may read."""
    dag_ids = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return frozenset(slug for slug in map(slug_of, dag_ids) if slug)


Readable = Annotated[frozenset[str], Depends(readable_districts)]


def readable_district(slug: str, readable: Readable) -> str:
    """The slug in the path; 403 when its DAG may not be read or does not exist."""
    if slug not in readable:
        raise HTTPException(403, NO_DISTRICT)
    return slug


DistrictSlug = Annotated[str, Depends(readable_district)]


def may_edit(user: Any, slug: str) -> bool:
    """Whether somebody may edit a district's DAG, and so act for the district."""
    details = DagDetails(id=f"{_PREFIX}{slug}")
    return bool(get_auth_manager().is_authorized_dag(method="PUT", user=user, details=details))


def refuse_reader(user: Any, slug: str) -> None:
    """Nothing; 403 for whoever may not edit the district's DAG."""
    if not may_edit(user, slug):
        raise HTTPException(403, "You may look at this district and not change it. Nothing was changed.")


def may_start(user: Any, slug: str) -> bool:
    """Whether somebody may start runs of a district's DAG in Airflow itself."""
    details = DagDetails(id=f"{_PREFIX}{slug}")
    manager = get_auth_manager()
    return bool(manager.is_authorized_dag(method="POST", user=user, details=details, access_entity=DagAccessEntity.RUN))


def editable_district(slug: DistrictSlug, user: GetUserDep) -> str:
    """The slug in the path; 403 when its DAG may not be edited."""
    refuse_reader(user, slug)
    return slug


EditableSlug = Annotated[str, Depends(editable_district)]


def name_of(user: Any) -> str:
    """What Airflow calls somebody, for the audit."""
    return str(user.get_name())


def from_our_own_pages(request: Request) -> None:
    """Nothing; 403 for a write that another site's page sends.

    Airflow has no CSRF token. Browsers say in Sec-Fetch-Site where a request comes from, but not over plain
    http, where the Origin must do.
    """
    if request.method in _HARMLESS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    # An origin that a browser hides ("null") has no host, and neither has a base_url that is not set.
    ours = {request.headers.get("host"), urlsplit(conf.get("api", "base_url", fallback="")).netloc} - {""}
    foreign = site not in ("same-origin", "none") if site else origin is not None and urlsplit(origin).netloc not in ours
    if foreign:
        raise HTTPException(403, "This request came from another site and was refused. Nothing was changed.")
