"""What Airflow's own API would let anybody do to any district: held to the rights on that district's DAG.

Airflow knows rights per DAG. ``mingasync_undo`` and ``mingasync_connect`` act for the district that their run names, and a
Variable is open to whoever may edit any Variable: so whoever may trigger the one or edit the other could act for every
district. Here the district that a request is about is found, and the right on its DAG is asked for: to edit it for a write,
to read it else. What cannot be told to be about one district needs the right on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from include.mingasync.console.access import NO_DISTRICT, slug_of
from include.mingasync.district import district_files

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Right = Literal["GET", "PUT"]
#: What is left of an answer without the entries of districts that the caller may not read; the second argument says of a slug
#: whether the caller may, and of None (no district) that anybody may.
Cut = Callable[[Any, Callable[[str | None], bool]], Any]

#: DAGs that act for the district which their run's configuration names.
FOR_ANY_DISTRICT = frozenset({"mingasync_undo", "mingasync_connect"})
#: Stands for all districts, where a request cannot be told to be about one.
EVERY = "*"
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_API = ("/api/v2/", "/ui/")
_LARGEST = 8 * 1024 * 1024


class Doors:
    """A middleware of Airflow's api-server: refuses what touches a district on which the caller has no right."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 403, or hand the request on; what Airflow lists of all districts is cut to those that one may read."""
        parts = api_path(scope) if scope["type"] == "http" else None
        if not parts or (scope["method"] in _HARMLESS and not _may_tell(parts)):
            return await self.app(scope, receive, send)
        body, receive = await _whole(receive)
        if body is None:
            return await JSONResponse({"detail": "The request is too long. Nothing was changed."}, 413)(scope, receive, send)
        content = _json(body)
        request = Request(scope)
        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            return await self.app(scope, receive, send)  # Airflow itself says that nobody is logged in
        districts = await run_in_threadpool(districts_touched, scope["method"], parts, content)
        districts |= await run_in_threadpool(_of_drawn_runs, parts, request.query_params.getlist("run_ids"))
        right: Right = "GET" if scope["method"] in _HARMLESS else "PUT"
        if not await run_in_threadpool(_all_allowed, user, districts, right):
            return await JSONResponse({"detail": f"{NO_DISTRICT} Nothing was changed."}, 403)(scope, receive, send)
        if cut := _cut_of(scope["method"], parts):
            return await self._only_readable(scope, receive, send, user, cut)
        return await self.app(scope, receive, send)

    async def _only_readable(self, scope: Message, receive: Receive, send: Send, user: Any, cut: Cut) -> None:
        start: Message = {}
        chunks: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            chunks.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(chunks)
            if start.get("status") == 200:
                body = await run_in_threadpool(_without_foreign, body, user, cut)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, collect)


def api_path(scope: Message) -> list[str] | None:
    """The parts of a path of Airflow's API behind its version, unquoted; None for every other path."""
    path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
    for prefix in _API:
        if path.startswith(prefix):
            return [unquote(part) for part in path.removeprefix(prefix).strip("/").split("/")]
    return None


def _may_tell(parts: list[str]) -> bool:
    """Whether reading this could tell of a district: a run of a DAG that acts for any, what it announced, or a Variable."""
    of_a_run = parts[0] == "dags" and len(parts) > 3 and _acts_for_any(parts[1])
    return of_a_run or _draws_runs(parts) or parts[0] == "variables" or _cut_of("GET", parts) is not None


def _draws_runs(parts: list[str]) -> bool:
    """Whether this is what Airflow's pages draw the runs of a DAG that acts for any district from."""
    gantt = parts[0] == "gantt" and len(parts) == 3 and _acts_for_any(parts[1])
    return gantt or (parts[:2] == ["grid", "ti_summaries"] and len(parts) == 3 and _acts_for_any(parts[2]))


def _of_drawn_runs(parts: list[str], asked: list[str]) -> set[str]:
    """The districts of the runs that a drawing is asked for, in its path or in its query."""
    if not _draws_runs(parts):
        return set()
    dag_id, run_ids = (parts[1], parts[2:]) if parts[0] == "gantt" else (parts[2], asked)
    return {slug for run_id in run_ids for slug in _named(_conf_of(dag_id, run_id))}


def districts_touched(method: str, parts: list[str], content: Any) -> set[str]:
    """The slugs of the districts that a request is about, EVERY among them where that cannot be told."""
    writes = method not in _HARMLESS
    if parts[0] == "variables":
        words = [*parts[1:], *_texts(content)] if writes else parts[1:]
        return {slug for slug in map(slug_of, words) if slug}
    if parts[0] == "dags" and len(parts) > 1 and _acts_for_any(parts[1]):
        return _of_run(method, parts, content, writes)
    # Bulk calls name their DAGs in the body.
    return {EVERY} if writes and any(map(_acts_for_any, _texts(content))) else set()


def _of_run(method: str, parts: list[str], content: Any, writes: bool) -> set[str]:
    below = parts[2:]
    if writes and _reaches_further(content):
        return {EVERY}
    if method == "POST" and below == ["dagRuns"]:
        conf = content.get("conf") if isinstance(content, dict) else None
        return _named(conf)
    if len(below) > 1 and below[0] == "dagRuns" and below[1] not in ("~", "list"):
        return _named(_conf_of(parts[1], below[1]))
    if below == ["clearTaskInstances"] and isinstance(content, dict) and isinstance(content.get("dag_run_id"), str):
        return _named(_conf_of(parts[1], content["dag_run_id"]))
    return {EVERY} if writes else set()


def _reaches_further(content: Any) -> bool:
    """Whether a write about one run asks Airflow for the runs before or after it as well: those may be of any district."""
    return isinstance(content, dict) and any(
        content.get(name) not in (None, False) for name in ("include_past", "include_future")
    )


def _named(conf: Any) -> set[str]:
    """The district that a run's configuration names; a run that names none does nothing for any."""
    if not isinstance(conf, dict) or conf.get("district") in (None, ""):
        return set()
    slug = conf["district"]
    return {slug} if isinstance(slug, str) and slug_of(f"mingasync_{slug}") else {EVERY}


def _conf_of(dag_id: str, run_id: str) -> Any:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return session.scalar(select(DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


def _all_allowed(user: Any, districts: set[str], right: Right) -> bool:
    slugs = {path.stem for path in district_files()} if EVERY in districts else districts
    return all(_allowed(user, slug, right) for slug in slugs)


def _allowed(user: Any, slug: str, right: Right) -> bool:
    return bool(get_auth_manager().is_authorized_dag(method=right, user=user, details=DagDetails(id=f"mingasync_{slug}")))


def _without_foreign(body: bytes, user: Any, cut: Cut) -> bytes:
    """An answer of Airflow without what is of districts that the user may not read."""
    allowed: dict[str, bool] = {}

    def may_stay(slug: str | None) -> bool:
        if slug is None:
            return True
        if slug not in allowed:
            allowed[slug] = _allowed(user, slug, "GET")
        return allowed[slug]

    return json.dumps(cut(json.loads(body), may_stay)).encode()


def _listed(name: str, district_of: Callable[[dict[str, Any]], str | None]) -> Cut:
    """The cut of a list that an answer has under a name, with the number of all of them."""

    def cut(content: Any, may_stay: Callable[[str | None], bool]) -> Any:
        own = [one for one in content[name] if may_stay(district_of(one))]
        hidden = len(content[name]) - len(own)
        # A list that goes on from a cursor has no total.
        total = {"total_entries": content["total_entries"] - hidden} if content.get("total_entries") else {}
        return content | {name: own} | total

    return cut


def _runs_alone(content: Any, may_stay: Callable[[str | None], bool]) -> Any:
    """An answer that is a list of runs and nothing beside."""
    return [run for run in content if may_stay(_of_listed_run(run))]


def _one_run(content: Any, may_stay: Callable[[str | None], bool]) -> Any:
    """An answer that is one run, or none."""
    return content if content is None or may_stay(_of_listed_run(content)) else None


def _newest_runs(content: Any, may_stay: Callable[[str | None], bool]) -> Any:
    """A list of DAGs; on Airflow's pages each has its newest runs."""
    for dag in content["dags"]:
        if "latest_dag_runs" in dag:
            dag["latest_dag_runs"] = _runs_alone(dag["latest_dag_runs"], may_stay)
    return content


def _of_variable(variable: dict[str, Any]) -> str | None:
    return slug_of(variable["key"])


def _of_event(event: dict[str, Any]) -> str | None:
    """The district of which an event tells that a DAG acting for any announced; Airflow asks for the right on all other DAGs."""
    if not _acts_for_any(event.get("source_dag_id") or ""):
        return None
    return urlsplit(event.get("uri") or "").netloc or EVERY


def _of_listed_run(run: dict[str, Any]) -> str | None:
    """The district that a run, or the run of a task, acted for; Airflow asks itself for the right on a district's own DAG."""
    dag_id = run["dag_id"]
    if not _acts_for_any(dag_id):
        return None
    conf = run["conf"] if "conf" in run else _conf_of(dag_id, run.get("dag_run_id") or run["run_id"])
    return next(iter(_named(conf)), None)


#: What Airflow lists of all districts, and how it is cut.
_CUT: dict[tuple[str, ...], Cut] = {
    ("variables",): _listed("variables", _of_variable),
    ("assets", "events"): _listed("asset_events", _of_event),
    ("dags",): _newest_runs,
}
#: What Airflow lists of the runs of a DAG, by method and by the path without the DAG.
_CUT_OF_RUNS: dict[tuple[str, ...], Cut] = {
    ("GET", "dags", "dagRuns"): _listed("dag_runs", _of_listed_run),
    ("POST", "dags", "dagRuns", "list"): _listed("dag_runs", _of_listed_run),
    ("GET", "dags", "dagRuns", "~", "taskInstances"): _listed("task_instances", _of_listed_run),
    ("POST", "dags", "dagRuns", "~", "taskInstances", "list"): _listed("task_instances", _of_listed_run),
    ("GET", "dags", "latest_run"): _one_run,
    ("GET", "grid", "runs"): _runs_alone,
}


def _cut_of(method: str, parts: list[str]) -> Cut | None:
    """How an answer is cut to the districts that one may read; None for an answer that tells of no other."""
    at = 2 if parts[:2] == ["grid", "runs"] else 1
    if len(parts) > at and (parts[at] == "~" or _acts_for_any(parts[at])):
        return _CUT_OF_RUNS.get((method, *parts[:at], *parts[at + 1 :]))
    return _CUT.get(tuple(parts)) if method == "GET" else None


def _acts_for_any(text: str) -> bool:
    return text.casefold() in FOR_ANY_DISTRICT


def _texts(content: Any) -> Iterator[str]:
    """Every text in a JSON document, keys too."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _texts(value)
    elif isinstance(content, list):
        for one in content:
            yield from _texts(one)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None  # Airflow refuses it as well


async def _whole(receive: Receive) -> tuple[bytes | None, Receive]:
    """The body of a request, None for one that is too long, and a way to read it once more."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > _LARGEST:
            return None, receive
        if not message.get("more_body"):
            break
    body, given = b"".join(chunks), False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again
