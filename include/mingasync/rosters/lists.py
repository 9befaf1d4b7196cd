"""User lists from classes, people and settings: which lists there are, who is on them and who manages them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.mingasync.rosters.dates import days
from include.mingasync.rosters.frames import one_each, sorted_once, typed
from include.mingasync.rosters.grades import grade_code, grade_title
from include.mingasync.rosters.names import NAMING, apart, students_of
from include.mingasync.rosters.people import People, _lists
from include.mingasync.rosters.unread import unread
from include.mingasync.settings import SchoolSettings, Settings

LIST_COLUMNS = ("k", "kind", "school_id", "source_id", "name", "term_ids", "grades", "public", "owner_n", "keeps_grades", *NAMING)
_NEVER = pd.Timestamp("2200-01-01")
_ROLE_TITLES = {"student": "Students", "teacher": "Teachers", "staff": "Staff", "admin": "Admins"}


@dataclass(frozen=True)
class Lists:
    """What the user lists ought to be.

    ``lists``: LIST_COLUMNS, ``k`` numbers them from 0, ``owner_n`` (of People.present) is whose a teacher's list is, and of
    one that ``keeps_grades`` nobody can say tonight which they are.
    ``members``: k, n (of People.present), manager. ``unlisted``: every other class of the snapshot with the reason it has no
    list. ``kept``: memberships that rest on a record set aside and so are neither proven nor disproven: class_id (a class, null
    user_id: all of it), user_id. ``unread``: the same list by list, as k, n, manager. ``lost_terms``: selected terms that the SIS
    does not share any more.
    """

    lists: pd.DataFrame
    members: pd.DataFrame
    unlisted: pd.DataFrame
    kept: pd.DataFrame
    unread: pd.DataFrame
    lost_terms: tuple[str, ...]


@dataclass(frozen=True)
class Rosters:
    """The collections that lists are made from, records set aside already taken out."""

    orgs: pd.DataFrame
    sessions: pd.DataFrame
    courses: pd.DataFrame
    classes: pd.DataFrame
    enrollments: pd.DataFrame


def lists_from(rosters: Rosters, people: People, settings: Settings, night: dt.date, kept: pd.DataFrame) -> Lists:
    """The lists of a district under its settings on a night; ``kept`` is handed through."""
    rosters = Rosters(
        orgs=typed(rosters.orgs, "orgs"),
        sessions=typed(rosters.sessions, "academicSessions"),
        courses=typed(rosters.courses, "courses"),
        classes=typed(rosters.classes, "classes"),
        enrollments=typed(rosters.enrollments, "enrollments"),
    )
    classes = _described(rosters)
    by_school = {school: settings.for_school(school) for school in _schools_of(classes, people)}
    selected, reasons = _selected(classes, by_school)
    rolls = _rolls(rosters, classes, people, night)
    school_names = one_each(rosters.orgs).set_index("sourced_id")["name"].astype("string")
    term_titles = one_each(rosters.sessions).set_index("sourced_id")["title"].astype("string")

    made = [
        _class_lists(classes, selected, rolls, people, school_names=school_names, term_titles=term_titles),
        _role_lists(people, by_school, school_names),
        _grade_lists(people, by_school, school_names),
        _subject_lists(classes, rolls, by_school, school_names),
        _teacher_lists(classes, rolls, people, by_school, school_names),
    ]
    lists, members = _joined(made)
    public = {school: own.new_lists_public for school, own in by_school.items()}
    lists["public"] = [public.get(school, settings.new_lists_public) for school in lists["school_id"]]
    followed = {kind: _followed(classes, by_school, kind) for kind in ("subject", "teacher")}
    shared = set(rosters.sessions["sourced_id"])
    wanted = {term for own in (settings, *by_school.values()) if _follows_terms(own) for term in own.class_lists.terms}
    return Lists(
        lists=lists[list(LIST_COLUMNS)],
        members=members,
        unlisted=pd.DataFrame({"source_id": classes["sourced_id"], "reason": reasons}).dropna().reset_index(drop=True),
        kept=kept,
        unread=unread(kept, classes, rolls.teachers, people, lists=lists, followed=followed),
        lost_terms=tuple(sorted(wanted - shared)),
    )


def _follows_terms(own: SchoolSettings) -> bool:
    """Whether anything is made from the selected terms."""
    return own.class_lists.enabled or own.auto_lists.subject or own.auto_lists.teacher


def _schools_of(classes: pd.DataFrame, people: People) -> set[str]:
    at_classes = classes["school_id"].dropna().unique()
    at_people = people.present["school_ids"].explode().dropna().unique()
    return {str(school) for school in (*at_classes, *at_people)}


def _described(rosters: Rosters) -> pd.DataFrame:
    """The classes with what their course lends them: title, grades and subjects where they have none of their own."""
    classes = one_each(rosters.classes).reset_index(drop=True)
    courses = one_each(rosters.courses).set_index("sourced_id")
    at = courses.index.get_indexer(classes["course_id"])
    title = _clean(classes["title"])
    course_title = _borrowed(courses["title"], at, classes.index)
    code = _clean(classes["class_code"])
    named_after = (course_title.fillna("Class") + " (" + code + ")").fillna(course_title).fillna(code)
    # The code is already in the name of a class that was named after its course.
    classes["title"] = title.fillna(named_after).fillna("Class " + classes["sourced_id"].astype("string"))
    classes["code"] = code.where(title.notna())
    classes["grade_codes"] = [
        sorted({grade_code(str(grade)) for grade in own if grade and str(grade).strip()})
        for own in _or_borrowed(classes["grades"], courses["grades"], at)
    ]
    # A course that did not come says nothing: what it lent a class before holds on.
    classes["grades_open"] = [
        bool(named) and place < 0 and not own
        for named, place, own in zip(classes["course_id"].notna(), at, classes["grade_codes"], strict=True)
    ]
    subjects = _or_borrowed(classes["subjects"], courses["subjects"], at)
    codes = _or_borrowed(classes["subject_codes"], courses["subject_codes"], at)
    classes["subject_names"] = [
        [" ".join(str(one).split()) for one in (texts if len(texts) else by_code) if one and str(one).strip()]
        for texts, by_code in zip(subjects, codes, strict=True)
    ]
    classes["term_ids"] = [list(terms) for terms in _lists(classes["term_ids"])]
    classes["period"] = [", ".join(str(period) for period in periods) for periods in _lists(classes["periods"])]
    return classes


def _clean(texts: pd.Series) -> pd.Series:
    return texts.astype("string").str.replace("\x00", "", regex=False).str.strip().replace("", pd.NA)


def _borrowed(values: pd.Series, at: np.ndarray, index: pd.Index) -> pd.Series:
    if values.empty:
        return pd.Series(pd.NA, index=index, dtype="string")
    taken = _clean(values).take(np.maximum(at, 0)).set_axis(index)
    return taken.mask(at < 0)


def _or_borrowed(own: pd.Series, course: pd.Series, at: np.ndarray) -> list[Sequence[str]]:
    of_course = _lists(course)
    return [mine if len(mine) else (of_course[place] if place >= 0 else ()) for mine, place in zip(_lists(own), at, strict=True)]


def _selected(classes: pd.DataFrame, by_school: Mapping[str, SchoolSettings]) -> tuple[np.ndarray, pd.Series]:
    """Which classes become class lists, and for each other one why it does not."""
    nobody = SchoolSettings()
    choice = {
        school: (own.class_lists.enabled, set(own.class_lists.terms), {grade_code(g) for g in own.class_lists.grades})
        for school, own in by_school.items()
    }
    reasons: list[str | None] = []
    for status, school, terms, grades in zip(
        classes["status"], classes["school_id"], classes["term_ids"], classes["grade_codes"], strict=True
    ):
        enabled, wanted_terms, wanted_grades = choice.get(school, (nobody.class_lists.enabled, set(), set()))
        if status != "active":
            reasons.append("ended")
        elif not enabled:
            reasons.append("class_lists_off")
        elif wanted_terms.isdisjoint(terms):
            reasons.append("term_not_selected")
        elif wanted_grades and wanted_grades.isdisjoint(grades):
            reasons.append("grade_not_selected")
        else:
            reasons.append(None)
    column = pd.Series(reasons, index=classes.index, dtype="string")
    return column.isna().to_numpy(), column


@dataclass(frozen=True)
class _Rolls:
    """Enrollments as numbers: ``at`` the class's position, ``n`` the person; each pair once."""

    students: pd.DataFrame
    teachers: pd.DataFrame


def _rolls(rosters: Rosters, classes: pd.DataFrame, people: People, night: dt.date) -> _Rolls:
    enrollments = rosters.enrollments
    at = pd.Index(classes["sourced_id"]).get_indexer(enrollments["class_id"])
    place = people.ids.index.get_indexer(enrollments["user_id"])
    n = np.where(place >= 0, people.ids.to_numpy()[np.maximum(place, 0)] if len(people.ids) else -1, -1)
    held = _active(enrollments) & (at >= 0) & (n >= 0) & ~_dropped(enrollments, classes, at, night)
    held &= ~not_begun(enrollments, classes, rosters.sessions, night)
    role = enrollments["role"].str.strip().str.lower()
    chosen = held & role.eq("student").fillna(False).to_numpy(dtype=bool)
    students = _distinct(at[chosen], n[chosen])
    # A student manages no list, whatever the enrollment says.
    is_student = np.append(people.present["role"].eq("student").to_numpy(dtype=bool), False)
    chosen = held & role.eq("teacher").fillna(False).to_numpy(dtype=bool) & ~is_student[n]
    return _Rolls(students=students, teachers=_distinct(at[chosen], n[chosen]))


def _dropped(enrollments: pd.DataFrame, classes: pd.DataFrame, at: np.ndarray, night: dt.date) -> np.ndarray:
    """Which enrollments ended before their class did: that person dropped the class.

    An end that is also everybody's end (the term's) drops nobody: whether a past term is shown is the district's choice of
    terms, not the calendar's. An end that is no date is none.
    """
    ends = days(enrollments["end_date"])
    ended: np.ndarray = (ends <= pd.Timestamp(night)).to_numpy(dtype=bool)
    if not ended.any():
        return ended
    ends = ends.fillna(_NEVER)
    # What was deleted says nothing of the class.
    last = ends.where(_active(enrollments)).groupby(at).transform("max")
    early: np.ndarray = ended & (ends < last).to_numpy(dtype=bool)
    return early


def not_begun(enrollments: pd.DataFrame, classes: pd.DataFrame, sessions: pd.DataFrame, night: dt.date) -> np.ndarray:
    """Which enrollments are still to begin though their class has begun: that person joins on the day.

    A class has begun with the first of its terms, or with anybody's enrollment. One that has not shows everybody, for a
    district may choose a term that is still to come. A begin that is no date is none.
    """
    begins = days(enrollments["begin_date"])
    later: np.ndarray = (begins > pd.Timestamp(night)).to_numpy(dtype=bool)
    if not later.any():
        return later
    started = set(sessions.loc[(days(sessions["start_date"]) <= pd.Timestamp(night)).to_numpy(dtype=bool), "sourced_id"])
    own = pd.Series(
        [not started.isdisjoint(terms) for terms in _lists(classes["term_ids"])], index=classes["sourced_id"], dtype=bool
    )
    by_term = enrollments["class_id"].isin(set(own.index[own]))
    by_others = enrollments["class_id"].isin(set(enrollments.loc[~later & _active(enrollments), "class_id"].dropna()))
    late: np.ndarray = later & (by_term | by_others).to_numpy(dtype=bool)
    return late


def _active(frame: pd.DataFrame) -> np.ndarray:
    active: np.ndarray = frame["status"].eq("active").fillna(False).to_numpy(dtype=bool)
    return active


def _distinct(left: np.ndarray, right: np.ndarray, names: tuple[str, str] = ("at", "n")) -> pd.DataFrame:
    """Each pair of numbers once, in order."""
    pairs = sorted_once(left.astype(np.int64) << 32 | right.astype(np.int64))
    return pd.DataFrame({names[0]: (pairs >> 32).astype("int32"), names[1]: (pairs & 0xFFFFFFFF).astype("int32")})


_Made = tuple[pd.DataFrame, pd.DataFrame]


def _joined(made: list[_Made]) -> _Made:
    """All kinds in one frame of lists and one of members, numbered through."""
    offset, lists, members = 0, [], []
    for kind_lists, own_members in made:
        own_lists = kind_lists.reset_index(drop=True)
        own_lists.insert(0, "k", np.arange(offset, offset + len(own_lists), dtype="int32"))
        members.append(own_members.assign(k=(own_members["k"] + offset).astype("int32")))
        lists.append(own_lists)
        offset += len(own_lists)
    all_members = pd.concat(members, ignore_index=True)[["k", "n", "manager"]]
    return pd.concat([frame for frame in lists if len(frame)] or lists[:1], ignore_index=True), all_members


def _members(k: np.ndarray, n: np.ndarray, manager: bool) -> pd.DataFrame:
    return pd.DataFrame({"k": k.astype("int32"), "n": n.astype("int32"), "manager": manager})


def _frame(kind: str, schools: pd.Series, sources: pd.Series, names: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"kind": kind, "school_id": schools.to_numpy(), "source_id": sources.to_numpy(), "name": names.to_numpy()}
    )
    frame["term_ids"] = [[] for _ in range(len(frame))]
    frame["grades"] = [[] for _ in range(len(frame))]
    frame["owner_n"] = frame["teacher_n"] = pd.array([pd.NA] * len(frame), dtype="Int32")
    frame["title"] = pd.array([pd.NA] * len(frame), dtype="string")
    frame["parts"] = [[] for _ in range(len(frame))]
    frame["keeps_grades"] = False
    return frame


def _named_of(lists: pd.DataFrame, titles: pd.Series, parts: Sequence[pd.Series], teachers: np.ndarray) -> None:
    """Keep with the lists what their names are made of; ``teachers``: n, below 0 for none."""
    lists["title"] = titles.to_numpy()
    lists["parts"] = list(map(list, zip(*(part.astype("string").fillna("") for part in parts), strict=True)))
    lists["teacher_n"] = pd.array(teachers, dtype="Int32")
    lists["teacher_n"] = lists["teacher_n"].mask(lists["teacher_n"] < 0)


def _full_names(people: People) -> pd.Series:
    given = people.present["preferred_given_name"].fillna(people.present["given_name"]).fillna("")
    return (given + " " + people.present["family_name"].fillna("")).str.strip()


def _class_lists(
    classes: pd.DataFrame,
    selected: np.ndarray,
    rolls: _Rolls,
    people: People,
    *,
    school_names: pd.Series,
    term_titles: pd.Series,
) -> _Made:
    chosen = classes[selected]
    first_teacher = rolls.teachers.drop_duplicates("at").set_index("at")["n"]
    family = people.present["family_name"]
    teacher_n = pd.Series(chosen.index.map(first_teacher), index=chosen.index)
    teacher = teacher_n.map(family)
    said = chosen["period"].where(chosen["period"] != "", pd.NA).astype("string")
    # A bare "3" needs the word before it; "3rd Period" or "Block A" does not.
    period = said.mask(said.str.len() <= 3, "Period " + said)
    school = chosen["school_id"].map(school_names)
    first_terms = [terms[0] if terms else None for terms in chosen["term_ids"]]
    term = pd.Series(first_terms, index=chosen.index, dtype="string").map(term_titles)
    parts_of_name = [school, period, teacher, term, chosen["code"]]
    names = apart(chosen["title"], parts_of_name, chosen["sourced_id"])
    lists = _frame("class", chosen["school_id"], chosen["sourced_id"], names)
    _named_of(lists, chosen["title"], parts_of_name, teacher_n.fillna(-1).to_numpy(dtype="int32"))
    lists["term_ids"] = list(chosen["term_ids"])
    lists["grades"] = list(chosen["grade_codes"])
    lists["keeps_grades"] = chosen["grades_open"].astype(bool).to_numpy()
    k_of = np.full(len(classes), -1)
    k_of[np.flatnonzero(selected)] = np.arange(len(chosen))
    parts = []
    for roll, manager in ((rolls.students, False), (rolls.teachers, True)):
        k = k_of[roll["at"]]
        parts.append(_members(k[k >= 0], roll["n"].to_numpy()[k >= 0], manager))
    return lists, pd.concat(parts)


def _at_schools(people: People, columns: list[str]) -> pd.DataFrame:
    """A row per person and school."""
    return people.present[["n", "school_ids", *columns]].explode("school_ids").dropna(subset=["school_ids"])


def _where(schools: pd.Series, by_school: Mapping[str, SchoolSettings], kind: str) -> np.ndarray:
    on = {school for school, own in by_school.items() if getattr(own.auto_lists, kind)}
    there: np.ndarray = schools.isin(on).to_numpy(dtype=bool)
    return there


def _grouped(frame: pd.DataFrame, source: str) -> tuple[np.ndarray, pd.DataFrame]:
    """A number per school and source, and the two that each number stands for."""
    groups = frame.groupby(["school_ids", source], sort=True)
    return groups.ngroup().to_numpy(), pd.DataFrame(list(groups.groups.keys()), columns=["school_id", source])


def _with_school(titles: pd.Series, schools: pd.Series, school_names: pd.Series) -> pd.Series:
    named = (titles + " · " + schools.map(school_names).astype("string")).fillna(titles)
    return apart(named, [], schools)


def _role_lists(people: People, by_school: Mapping[str, SchoolSettings], school_names: pd.Series) -> _Made:
    at = _at_schools(people, ["role"])
    at = at[_where(at["school_ids"], by_school, "role")]
    k, groups = _grouped(at, "role")
    names = _with_school(groups["role"].map(_ROLE_TITLES).astype("string"), groups["school_id"], school_names)
    return _frame("role", groups["school_id"], groups["role"], names), _members(k, at["n"].to_numpy(), False)


def _grade_lists(people: People, by_school: Mapping[str, SchoolSettings], school_names: pd.Series) -> _Made:
    at = _at_schools(people, ["role", "grades"])
    at = at[at["role"].eq("student").to_numpy() & _where(at["school_ids"], by_school, "grade")]
    at = at.explode("grades").dropna(subset=["grades"])
    codes = {grade: grade_code(grade) for grade in at["grades"].unique()}
    at = at.assign(grade=at["grades"].map(codes)).drop_duplicates(["n", "school_ids", "grade"])
    k, groups = _grouped(at, "grade")
    titles = groups["grade"].map(grade_title).astype("string")
    names = _with_school(titles, groups["school_id"], school_names)
    lists = _frame("grade", groups["school_id"], groups["grade"], names)
    lists["grades"] = [[grade] for grade in groups["grade"]]
    return lists, _members(k, at["n"].to_numpy(), False)


def _followed(classes: pd.DataFrame, by_school: Mapping[str, SchoolSettings], kind: str) -> pd.Series:
    """Which classes an automatic list follows: active, of the selected terms, where that kind is on."""
    terms = {school: set(own.class_lists.terms) for school, own in by_school.items() if getattr(own.auto_lists, kind)}
    return pd.Series(
        [
            status == "active" and not terms.get(school, set()).isdisjoint(own)
            for status, school, own in zip(classes["status"], classes["school_id"], classes["term_ids"], strict=True)
        ],
        index=classes.index,
        dtype=bool,
    )


def _subject_lists(
    classes: pd.DataFrame, rolls: _Rolls, by_school: Mapping[str, SchoolSettings], school_names: pd.Series
) -> _Made:
    followed = classes.loc[_followed(classes, by_school, "subject"), ["school_id", "subject_names"]]
    taught = followed.rename(columns={"school_id": "school_ids"}).explode("subject_names").dropna()
    taught = taught.assign(subject=taught["subject_names"].astype("string").str.casefold())
    spelling = taught.groupby("subject")["subject_names"].min()
    k, groups = _grouped(taught, "subject")
    groups["spelled"] = groups["subject"].map(spelling)
    class_k = pd.DataFrame({"at": taught.index.to_numpy(), "k": k})
    pairs = rolls.students.merge(class_k, on="at")
    distinct = _distinct(pairs["k"].to_numpy(), pairs["n"].to_numpy(), ("k", "n"))
    names = _with_school(groups["spelled"].astype("string"), groups["school_id"], school_names)
    return (
        _frame("subject", groups["school_id"], groups["spelled"], names),
        _members(distinct["k"].to_numpy(), distinct["n"].to_numpy(), False),
    )


def _teacher_lists(
    classes: pd.DataFrame,
    rolls: _Rolls,
    people: People,
    by_school: Mapping[str, SchoolSettings],
    school_names: pd.Series,
) -> _Made:
    followed = _followed(classes, by_school, "teacher").to_numpy()
    taught = rolls.teachers[followed[rolls.teachers["at"]]].rename(columns={"n": "teacher"})
    taught = taught.assign(school_ids=classes["school_id"].to_numpy()[taught["at"]])
    k, groups = _grouped(taught, "teacher")
    taught = taught.assign(k=k)
    pairs = rolls.students.merge(taught[["at", "k"]], on="at")
    distinct = _distinct(pairs["k"].to_numpy(), pairs["n"].to_numpy(), ("k", "n"))
    teachers = groups["teacher"].astype("int64").to_numpy()
    sources = people.present["sourced_id"].iloc[teachers].set_axis(groups.index)
    full = _full_names(people).iloc[teachers].set_axis(groups.index).replace("", pd.NA).fillna("Teacher " + sources)
    titles, schools = students_of(full), groups["school_id"].map(school_names)
    names = apart(titles, [schools], sources)
    lists = _frame("teacher", groups["school_id"], sources, names)
    _named_of(lists, titles, [schools], teachers)
    lists["owner_n"] = pd.array(teachers, dtype="Int32")
    return (
        lists,
        pd.concat(
            [
                _members(distinct["k"].to_numpy(), distinct["n"].to_numpy(), False),
                _members(np.arange(len(groups)), teachers, True),
            ]
        ),
    )
