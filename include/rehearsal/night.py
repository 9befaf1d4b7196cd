"""One night in the making: the district as it was, and what is added, dropped and counted."""

from __future__ import annotations

from collections import Counter, defaultdict

from include.rehearsal.maker import Maker
from include.rehearsal.records import District, Record

#: Classes by school and grade, there by course.
Sections = dict[tuple[str, str], dict[str, list[Record]]]


class Night:
    """A district between two days. ``gone`` are students who vanished in this night or an earlier one."""

    def __init__(self, district: District, maker: Maker, gone: list[Record]) -> None:
        self.district, self.maker, self.gone, self.chance = district, maker, gone, maker.chance
        self.changes: Counter[str] = Counter()
        self.away: set[str] = set()  # ids of users who are no more
        self.closed: set[str] = set()  # ids of classes that are no more
        self.dropped: set[str] = set()  # ids of enrollments that are no more
        self.added: dict[str, Record] = {}  # new enrollments by id
        self.classes = {one["sourcedId"]: one for one in district.classes}
        self.sections = _sections(district.classes)
        self.seats = _seats(district.enrollments)
        self.people = _people(district.users)

    def changed(self, record: Record, **fields: object) -> None:
        """Give a record other values, and the night's stamp."""
        record.update(fields, dateLastModified=self.maker.stamp)

    def seat(self, klass: Record, user: Record, role: str, primary: bool = False) -> None:
        """Seat a user in a class."""
        seat = self.maker.enrollment(klass, user, role, primary)
        self.added[seat["sourcedId"]] = seat

    def unseat(self, seat: Record) -> None:
        """Take an enrollment away."""
        self.dropped.add(seat["sourcedId"])

    def unseat_all(self, user: Record) -> None:
        """Take a user's enrollments away."""
        for seat in self.seats[user["sourcedId"]]:
            self.unseat(seat)

    def seat_all(self, pupil: Record) -> None:
        """Seat a student in one class of each course of the grade."""
        place = (pupil["primaryOrg"]["sourcedId"], pupil["grades"][0])
        for classes in self.sections.get(place, {}).values():
            self.seat(self.chance.choice(classes), pupil, "student")

    def class_of(self, seat: Record) -> Record:
        """The class of an enrollment."""
        return self.classes[seat["class"]["sourcedId"]]

    def siblings(self, klass: Record) -> list[Record]:
        """The other classes of a class's course."""
        place = (klass["school"]["sourcedId"], klass["grades"][0])
        classes = self.sections.get(place, {}).get(klass["course"]["sourcedId"], [])
        return [one for one in classes if one is not klass]

    def vanish(self, user: Record) -> None:
        """A user is no more, and the user's enrollments neither."""
        self.away.add(user["sourcedId"])
        self.unseat_all(user)

    def delete(self, user: Record) -> None:
        """A user is marked to be deleted, and the user's enrollments too."""
        self.changed(user, status="tobedeleted")
        for seat in self.seats[user["sourcedId"]]:
            self.changed(seat, status="tobedeleted")

    def finish(self) -> None:
        """Put the night's departures and arrivals into the collections."""
        district = self.district
        district.users = [user for user in district.users if user["sourcedId"] not in self.away]
        district.classes = [one for one in district.classes if one["sourcedId"] not in self.closed]
        kept = [
            seat
            for seat in district.enrollments
            if seat["sourcedId"] not in self.dropped
            and seat["sourcedId"] not in self.added
            and seat["user"]["sourcedId"] not in self.away
            and seat["class"]["sourcedId"] not in self.closed
        ]
        district.enrollments = [*kept, *self.added.values()]
        district.changes = self.changes


def _sections(classes: list[Record]) -> Sections:
    """The active classes by school and grade, there by course."""
    found: Sections = defaultdict(lambda: defaultdict(list))
    for one in classes:
        if one["status"] == "active":
            found[one["school"]["sourcedId"], one["grades"][0]][one["course"]["sourcedId"]].append(one)
    return dict(found)


def _seats(enrollments: list[Record]) -> dict[str, list[Record]]:
    """The active enrollments by user."""
    found: dict[str, list[Record]] = defaultdict(list)
    for seat in enrollments:
        if seat["status"] == "active":
            found[seat["user"]["sourcedId"]].append(seat)
    return found


def _people(users: list[Record]) -> dict[str, list[Record]]:
    """The active users of a single role, by that role."""
    found: dict[str, list[Record]] = defaultdict(list)
    for user in users:
        if user["status"] == "active" and user["enabledUser"] == "true" and len(user["roles"]) == 1:
            found[user["roles"][0]["role"]].append(user)
    return found
