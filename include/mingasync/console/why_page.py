"""The page that answers why somebody or a list is as it is, link by link from the SIS to the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from include.mingasync.console.access import DistrictSlug, may_edit
from include.mingasync.console.forms import SentForm
from include.mingasync.console.list_acts import NO_LIST, NO_PERSON
from include.mingasync.console.lists_pages import number_in, seen_other
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.searching import NOT_UNDERSTOOD, search_in, search_of
from include.mingasync.console.why_night import Night
from include.mingasync.directory import why
from include.mingasync.directory.why_link import Link
from include.mingasync.errors import MingaSyncError
from include.mingasync.snapshot import Snapshot

router = APIRouter()
_PAGES = {
    "settings": "Rostering Settings",
    "terms": "Class rosters",
    "list-settings": "User list settings",
    "people": "People",
}
Story = why.Story


@dataclass(frozen=True)
class Told:
    """A story as the page shows it: its links, and the control that mends the first that is broken."""

    subject: str
    links: Sequence[Link]
    mend_address: str | None
    mend_words: str


def _told(story: Story, night: Night, slug: str, run_id: str | None) -> Told:
    own = night.of_school(story.school_id)
    links = [*night.links, *own] + [line if isinstance(line, Link) else Link(line) for line in story.lines]
    first = next((one for one in links if one.holds is False), None)
    address, words = _control(first.control if first else None, slug, run_id)
    # What their school has of its own is not on the district's sheet.
    is_schools = story.school_id in night.schools_of_their_own and first not in night.links
    if first and first.control == "settings" and is_schools:
        address = f"{address}?school={quote(story.school_id or '', safe='')}"
        words = f"{words} of {night.name_of(story.school_id)}"
    return Told(story.subject, links, address, words)


def _control(control: str | None, slug: str, run_id: str | None) -> tuple[str | None, str]:
    """The address below the console of the page with a control, and what it is called."""
    if not control or control == "airflow":
        return None, "Airflow" if control else ""
    kind, _, number = control.partition("/")
    base = f"/districts/{slug}"
    if kind == "person":
        return f"{base}/people/{number}", "the person's page"
    if kind == "list":
        return f"{base}/lists/{number}", "the list's page"
    if kind == "run":
        its_run = number or run_id
        return (f"{base}/runs/{quote(its_run, safe='')}", "the run's page") if its_run else (None, "")
    if kind == "decision":
        return (f"{base}/runs/{quote(run_id, safe='')}/decision", "the page of the decision") if run_id else (None, "")
    return f"{base}/{control}", _PAGES[control]


@router.get("/districts/{slug}/why")
def why_of(request: Request, slug: DistrictSlug, user: GetUserDep) -> Response:
    """The box to ask in; who and what fits; the chain of one of them, or of what is not there."""
    search = search_in(request, ())
    query = request.query_params
    content: dict[str, Any] = {"told": [], "people": [], "lists": [], "problem": None, "read_at": None}
    with directory() as here:
        if here.has_runs:
            loaded = here.rows("last_loaded", district=slug)
            run_id = loaded[0]["run_id"] if loaded else None
            url = loaded[0]["snapshot_url"] if loaded else None
            content["read_at"] = loaded[0]["snapshot_at"] if loaded else None
            night = Night.of(here, slug)
            asking = _Asking(here, slug, Snapshot(url) if url else None)
            if query.get("person"):
                stories = asking.of_one(why.why_this_person, query["person"], NO_PERSON)
            elif query.get("list"):
                stories = asking.of_one(why.why_this_list, query["list"], NO_LIST)
            else:
                stories, people, lists = asking.of_any(search.text)
                content |= {"people": people, "lists": lists}
            content |= {"told": [_told(one, night, slug, run_id) for one in stories], "problem": asking.problem}
    return render(
        request,
        "why.html",
        place=place_of(slug),
        address=f"/districts/{slug}/why",
        search=search,
        editable=may_edit(user, slug),
        **content,
    )


@router.post("/districts/{slug}/why")
def why_asked(request: Request, slug: DistrictSlug, form: SentForm) -> Response:
    """The page that answers; the question travels encrypted in its address."""
    if form.one("action") != "search":
        raise HTTPException(422, NOT_UNDERSTOOD)
    return seen_other(request, f"/districts/{slug}/why{search_of(form, ()).query()}")


class _Asking:
    """A question to the directory and to what the SIS sent; ``problem`` says when the latter cannot be read."""

    def __init__(self, here: Directory, slug: str, snapshot: Snapshot | None) -> None:
        self._here, self._slug, self._snapshot = here, slug, snapshot
        self.problem: str | None = None

    def of_one(self, ask: Callable[..., list[Story]], number: str, refusal: str) -> list[Story]:
        """The story of one person or list; refused like any that is not there where it is of another district."""
        stories = self._ask(ask, number_in(number, refusal))
        if not stories:
            raise HTTPException(404, refusal)
        return stories

    def of_any(self, text: str) -> tuple[list[Story], list[Any], list[Any]]:
        """The story where one fits, else who and what fits, else what there is to say of what is not there."""
        if not text:
            return [], [], []
        people = why.people_who_fit(self._here.connection, self._slug, text)
        lists = why.lists_that_fit(self._here.connection, self._slug, text)
        if len(people) + len(lists) > 1:
            return [], people, lists
        if people:
            return self._ask(why.why_this_person, people[0][0]), [], []
        if lists:
            return self._ask(why.why_this_list, lists[0][0]), [], []
        stories = [*self._ask(why.why_person, text), *self._ask(why.why_list, text)]
        # A story under the words of the question tells of nothing but that; the SIS may send a person or class that fits them.
        return [one for one in stories if one.subject != text] or stories, [], []

    def _ask(self, ask: Callable[..., list[Story]], about: int | str) -> list[Story]:
        connection = self._here.connection
        try:
            return ask(connection, self._slug, about, self._snapshot)
        except (OSError, MingaSyncError) as error:
            self.problem = str(error) if isinstance(error, MingaSyncError) else type(error).__name__
            self._snapshot = None
            return ask(connection, self._slug, about, None)
