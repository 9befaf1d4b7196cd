"""How the rehearsal server misbehaves, switchable while it runs."""

from __future__ import annotations

from typing import Literal

import msgspec


class Faults(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Every way to misbehave; the default of each is to behave.

    ``…_every`` = n spoils each n-th page asked for, counted from the moment the faults are set; 1 spoils all.
    """

    #: The collections that the faults up to ``bom`` befall; none named = all.
    only: list[str] = []

    # Pages
    clamp: int = 0  #: no page is longer than this, whatever limit was asked, and nothing says so
    no_total: bool = False  #: no X-Total-Count
    wrong_total: int = 0  #: added to X-Total-Count; may be negative
    total_says: str = ""  #: what X-Total-Count says instead; "page" is the number of rows of the page
    no_link: bool = False  #: no Link
    relative_link: bool = False  #: Link without scheme and host
    link_ends_at: int = 0  #: from this offset on there is no rel="next", though rows remain
    empty_status: Literal[200, 204, 404] = 200  #: how a page without rows is answered
    empty_once_at: int = 0  #: the first page asked from this offset on, in each collection, is answered as if it had no rows
    row_too_many: bool = False  #: each page repeats its second row, and is one row longer than asked
    largest_limit: int = 0  #: a larger limit is refused
    largest_limit_status: int = 400
    repeat_every: int = 0  #: each n-th row is sent twice in a row, and the total counts both
    shift: Literal["", "insert", "remove", "rotate"] = ""
    #: ^ the collection moves while it is read: a row comes in at its head, its first row goes or goes last
    shift_after: int = 1  #: so many pages of the collection before it moves
    shift_times: int = 1  #: how often it moves, each time after so many further pages
    shift_rows: int = 1  #: so many rows at once
    ignore_filter: bool = False  #: ``filter`` is not honoured, and nothing says so

    # Credentials
    scope: str = ""  #: the token address refuses who does not ask for this scope
    credentials: Literal["any", "basic", "body"] = "any"  #: where the token address wants id and secret
    credentials_status: int = 401  #: what it answers where they are wrong or elsewhere; 401 says invalid_client, others no word
    token_status: int = 0  #: what the token address answers to everybody
    token_html: bool = False  #: the token address is a page for people
    token_sends_to: str = ""  #: the token address sends on to this address
    service_scope: str = ""  #: whose token is not of this scope is answered 403 everywhere
    token_seconds: float = 3600  #: how long a token lives; ``expires_in`` says so
    token_dies_at_percent: int = 0  #: a token stops working, once a collection, at this share of its rows
    ended_token_status: int = 401  #: what a token that stopped working is answered
    unauthorized_once: bool = False  #: the first page asked of each collection is answered 401

    # Refusals
    not_shared: list[str] | str = []  #: these collections are refused; one may be named without a list
    not_shared_status: Literal[401, 403, 404] = 403
    versions: list[str] = []  #: the other OneRoster versions are not there: 404
    sends_to: str = ""  #: every page is sent on to this address
    busy_every: int = 0  #: 429 with an HTML body and Retry-After
    retry_after: int = 1  #: seconds that a 429 asks to wait
    retry_after_date: bool = False  #: as an HTTP date
    broken_every: int = 0  #: a server error
    broken_status: int = 503
    reset_every: int = 0  #: the connection is reset
    reset_where: Literal["before", "body"] = "before"  #: instead of an answer, or amid its body
    delay_ms: int = 0  #: before every page

    # Bodies
    malformed_every: int = 0  #: JSON that ends in the middle
    html_every: int = 0  #: 200 with an HTML page
    bomb_megabytes: int = 0  #: a small gzip that unpacks to so many megabytes
    drip_ms: int = 0  #: bodies come a byte at a time, each after so long
    other_envelope: bool = False  #: users under "students", orgs under "schools", academicSessions under "terms"
    bare_list: bool = False  #: no envelope at all
    bom: bool = False  #: a byte order mark before the JSON

    # Records
    grades_as_text: bool = False  #: "05" for ["05"]
    grade_words: bool = False  #: "Fifth grade" for "05"
    mixed_case_roles: bool = False  #: "Student", "TEACHER"
    unknown_role: str = ""  #: what aides' role is called
    role_begins: str = ""  #: the beginDate of every role (1.2)
    role_ends: str = ""  #: the endDate of every role (1.2)
    nulls: bool = False  #: null wherever a field is empty or absent, and metadata null
    json_booleans: bool = False  #: true for "true"
    plain_ids: bool = False  #: "cls-1" for a GUIDRef
    new_ids: bool = False  #: the same users under other sourcedIds, everywhere

    # What is there
    missing_schools: list[str] = []  #: sourcedIds of orgs that have vanished from orgs and schools
    gone_school: str = ""  #: at this school ...
    gone_percent: int = 0  #: ... so many per cent of the students are missing from users
    empty: list[str] | str = []  #: these collections have no rows; one may be named without a list
    shrink: dict[str, int] = {}  #: collection -> per cent of its rows that are left
    shrink_percent: int = 0  #: so many per cent of every collection's rows are missing

    def of_records(self) -> Faults:
        """Only those faults that concern records and what is there, which hold for every collection."""
        names = self.__struct_fields__[self.__struct_fields__.index("grades_as_text") :]
        return msgspec.convert({name: getattr(self, name) for name in names}, Faults)

    def shares(self, collection: str) -> bool:
        """Whether a collection is shared."""
        return collection not in _names(self.not_shared)

    def left(self, collection: str) -> int:
        """How many per cent of a collection's rows are left."""
        return 0 if collection in _names(self.empty) else self.shrink.get(collection, 100 - self.shrink_percent)

    def befalls(self, collection: str) -> bool:
        """Whether the faults of pages, credentials, refusals and bodies befall a collection."""
        return not self.only or collection in self.only


def _names(given: list[str] | str) -> list[str]:
    return [given] if isinstance(given, str) else given


def read_faults(body: bytes, before: Faults | None = None) -> Faults:
    """The faults in a JSON object; those it does not name are as ``before``, or off.

    Raises ValueError naming the field that is unknown or of a wrong type.
    """
    given = msgspec.json.decode(body or b"{}", type=dict[str, object])
    kept = msgspec.to_builtins(before) if before else {}
    return msgspec.convert(kept | given, Faults)
