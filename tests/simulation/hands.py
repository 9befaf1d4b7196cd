"""What people do by hand, through the functions that the directory offers; what must hold afterwards is remembered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.simulation.seeing import State
from tests.simulation.world import Human

_EVERY = ("roster", "auto_update", "archive")
#: What may be set, by key and value; of each key the first is what a district begins with.
CHOICES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("automatic_rostering", (True, True, True, False)),
    *((f"roles.{role}.{switch}", (True, False)) for role in ("student", "teacher", "staff") for switch in _EVERY),
    ("class_lists.enabled", (True, False)),
    ("class_lists.terms", (["T1"], ["T1", "T2"], ["T2"], [])),
    ("class_lists.grades", ([], ["09"], ["10", "11"])),
    *((f"auto_lists.{kind}", (True, False)) for kind in ("role", "grade", "subject", "teacher")),
    ("new_lists_public", (False, True)),
    ("safety.archive_percent", (100, 30, 10)),
    ("safety.archive_minimum", (0, 1, 2)),
    ("safety.absent_nights", (1, 2, 3)),
    ("quiet", ([], "additions_only", "pause")),
)  # fmt: skip


def first_settings() -> dict[str, Any]:
    """Everything on, and no limit in the way."""
    made: dict[str, Any] = {"schools": {}}
    for key, values in CHOICES:
        put(made, key, values[0])
    put(made, "roles.admin", dict.fromkeys(_EVERY, True))
    return made


def put(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set one key of nested settings."""
    *above, last = key.split(".")
    for name in above:
        settings = settings.setdefault(name, {})
    settings[last] = value


def choose(settings: dict[str, Any], night: dt.date, a: int, b: int, school_id: str | None) -> str:
    """Edit one setting, of the district or of a school; what was done, in words."""
    key, values = CHOICES[a % len(CHOICES)]
    value = values[b % len(values)]
    if key == "quiet" and value:
        value = [{"from": night.isoformat(), "to": (night + dt.timedelta(days=2)).isoformat(), "mode": value}]
    put(settings["schools"].setdefault(school_id, {}) if school_id else settings, key, value)
    return f"{key} of {school_id or 'the district'} is set to {value}"


@dataclass
class Hands:
    """What was decided by hand and holds until somebody decides otherwise."""

    pinned: dict[tuple[int, str], str] = field(default_factory=dict)
    visible: dict[int, str] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    placed: dict[tuple[int, int, bool], bool] = field(default_factory=dict)
    included: dict[int, bool] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    #: people about whom a question of who is who was answered
    answered: set[int] = field(default_factory=set)


Done = str | None


def lend(
    connection: psycopg.Connection[Any], hands: Hands, state: State, humans: list[Human], what: str, a: int, b: int, c: int
) -> Done:
    """What was done by hand, in words; None where there is nobody to do it to."""
    people, lists = list(state.people), list(state.lists)
    person = people[a % len(people)] if people else None
    group = lists[b % len(lists)] if lists else None
    return ACTS[what](connection, hands, state, humans, person, group, a, b, c)


def _call(connection: psycopg.Connection[Any], statement: str, *parameters: Any) -> Any:
    row = connection.execute(statement, parameters).fetchone()  # type: ignore[arg-type]  # the statements stand in this file
    return row[0] if row else None


def _pin(
    connection: Any, hands: Hands, state: State, humans: Any, person: int | None, group: Any, a: int, b: int, c: int
) -> Done:
    if person is None:
        return None
    field_ = ("preferred_given_name", "email", "family_name")[b % 3]
    value = f"Pinned{c % 4}"
    _call(connection, "select directory.pin_field(%s, %s, %s, 'asked')", person, field_, value)
    hands.pinned[person, field_] = value
    return f"{field_} of person {person} is pinned to {value}"


def _unpin(connection: Any, hands: Hands, state: State, humans: Any, person: Any, group: Any, a: int, b: int, c: int) -> Done:
    if not state.pins:
        return None
    one = sorted(state.pins)[a % len(state.pins)]
    connection.execute("delete from directory.field_pins where person_id = %s and field = %s", one)
    hands.pinned.pop(one, None)
    return f"the pin of {one[1]} of person {one[0]} is taken off"


def _switch(include: bool) -> Callable[..., Done]:
    def act(connection: Any, hands: Hands, state: State, humans: Any, person: int | None, *_: Any) -> Done:
        those = [one for one, row in state.people.items() if row["include_in_sync"] != include]
        if person is None or not those:
            return None
        person = those[person % len(those)]
        _call(connection, "select directory.set_include_in_sync(%s, %s)", person, include)
        hands.included[person] = include
        return f"person {person} is {'included in' if include else 'excluded from'} the sync"

    return act


def _add(
    connection: Any, hands: Hands, state: State, humans: list[Human], person: Any, group: Any, a: int, b: int, c: int
) -> Done:
    """Somebody made by hand: a human who is or will be in the SIS, with some of their keys; or a namesake of keys."""
    one = humans[a % len(humans)]
    role = {"aide": "staff", "administrator": "admin", "principal": "admin"}.get(one.role, one.role)
    keys = [one.email, one.username, one.identifier]
    keys = [key if b & (1 << place) else None for place, key in enumerate(keys)]
    family = one.family if c % 4 else "Other"
    made = _call(connection, "select directory.add_person('oak', %s, %s, %s, %s, %s, %s)", role, one.given, family, *keys)
    hands.made[made] = one.number
    hands.included[made] = False
    return f"person {made} is made by hand: {one.given} {family}, {role}, {keys}"


def _retype(
    connection: Any, hands: Hands, state: State, humans: Any, person: int | None, group: Any, a: int, b: int, c: int
) -> Done:
    if person is None:
        return None
    connection.execute("update directory.people set preferred_given_name = 'Typed' where person_id = %s", (person,))
    # A pin keeps what is typed from the SIS, not from another hand.
    if (person, "preferred_given_name") in hands.pinned:
        hands.pinned[person, "preferred_given_name"] = "Typed"
    return f"the preferred name of person {person} is typed over"


def _place(keep: bool) -> Callable[..., Done]:
    def act(
        connection: Any, hands: Hands, state: State, humans: Any, person: int | None, group: int | None, a: int, b: int, c: int
    ) -> Done:
        if person is None or group is None:
            return None
        role = ("member", "manager")[c % 4 == 0]
        if not keep and state.places:
            group, person, manager = sorted(state.places)[a % len(state.places)]
            role = "manager" if manager else "member"
        verb = "add_list_member" if keep else "remove_list_member"
        _call(connection, f"select directory.{verb}(%s, %s, %s)", group, person, role)
        hands.placed[group, person, role == "manager"] = keep
        return f"person {person} is {'put on' if keep else 'taken off'} list {group} as {role}"

    return act


def _rename(
    connection: Any, hands: Hands, state: State, humans: Any, person: Any, group: int | None, a: int, b: int, c: int
) -> Done:
    if group is None:
        return None
    name = f"By hand {c % 5}"
    connection.execute("update directory.user_lists set name = %s where list_id = %s", (name, group))
    hands.named[group] = name
    return f"list {group} is named {name}"


def _visible(
    connection: Any, hands: Hands, state: State, humans: Any, person: Any, group: int | None, a: int, b: int, c: int
) -> Done:
    if group is None:
        return None
    wanted = ("public", "private")[c % 2]
    if state.lists[group]["visibility"] == wanted and group not in hands.visible:
        return None  # the page offers it for no list that is so already
    _call(connection, "select directory.set_list_visibility(array[%s]::bigint[], %s)", group, wanted)
    hands.visible[group] = wanted
    return f"list {group} is made {wanted}"


def _answer(function: str) -> Callable[..., Done]:
    def act(connection: Any, hands: Hands, state: State, humans: Any, person: Any, group: Any, a: int, b: int, c: int) -> Done:
        asked = [one for one, row in state.relinks.items() if row["state"] == "proposed"]
        if not asked:
            return None
        one = asked[a % len(asked)]
        try:
            _call(connection, f"select directory.{function}(%s, %s)", *one)
        except psycopg.errors.RaiseException as refusal:
            return f"{function} of person {one[0]} and {one[1]} is not taken: {str(refusal).splitlines()[0]}"
        hands.answered.add(one[0])
        return f"{function} of person {one[0]} and record {one[1]}"

    return act


ACTS: dict[str, Callable[..., Done]] = {
    "pin": _pin, "unpin": _unpin, "exclude": _switch(False), "include": _switch(True), "add_person": _add, "retype": _retype,
    "add_member": _place(True), "remove_member": _place(False), "rename": _rename, "visible": _visible,
    "relink": _answer("relink"), "refuse": _answer("refuse_relink"),
}  # fmt: skip
