"""A handful of bad records, such as every SIS has some of."""

from __future__ import annotations

from include.rehearsal.maker import Maker
from include.rehearsal.records import District, Record


def add_dirt(district: District, maker: Maker) -> None:
    """Spoil the district: a few records of each kind of badness, all with an id ``bad-…``."""
    klass = next(one for one in district.classes if one["status"] == "active")
    pupil = next(user for user in district.users if user["roles"][0]["role"] == "student")
    school = klass["school"]["sourcedId"]
    _bad_users(district, maker, school)
    _bad_enrollments(district, maker)
    district.classes += [
        maker.base("bad-class-no-course") | {**_rest(klass), "course": maker.ref("course", "nowhere")},
        maker.base("bad-class-no-title") | {**_rest(klass), "title": ""},
        maker.base("bad-class-no-term") | {**_rest(klass), "terms": []},
    ]
    twice = maker.base("bad-enrollment-twice") | _rest(maker.enrollment(klass, pupil, "student"))
    district.enrollments += [twice, dict(twice)]
    session = district.academicSessions[-1]
    district.academicSessions.append(
        maker.base("bad-session") | {**_rest(session), "startDate": session["endDate"], "endDate": session["startDate"]}
    )


def _rest(record: Record) -> Record:
    return {key: value for key, value in record.items() if key not in ("sourcedId", "status", "dateLastModified")}


def _bad_users(district: District, maker: Maker, school: str) -> None:
    spoilt: dict[str, Record] = {
        "bad-user-no-name": {"givenName": "", "familyName": ""},
        "bad-user-email": {"email": "not an address"},
        "bad-user-grade": {"grades": ["Grade ninety"]},
        "bad-user-no-role": {"roles": []},
        "bad-user-role": {"roles": [{"roleType": "primary", "role": "wizard", "org": maker.ref("org", school)}]},
        "bad-user-school": {"primaryOrg": maker.ref("org", "nowhere")},
        "bad-user-status": {"status": "inactive"},
    }
    for sourced_id, fields in spoilt.items():
        user = maker.user("student", school, "05") | {"sourcedId": sourced_id} | fields
        if sourced_id == "bad-user-school":
            user["roles"] = [{"roleType": "primary", "role": "student", "org": maker.ref("org", "nowhere")}]
        district.users.append(user)


def _bad_enrollments(district: District, maker: Maker) -> None:
    seats = [seat for seat in district.enrollments if seat["role"] == "student"][:4]
    spoilt: dict[str, Record] = {
        "bad-enrollment-user": {"user": maker.ref("user", "nobody")},
        "bad-enrollment-class": {"class": maker.ref("class", "nowhere")},
        "bad-enrollment-role": {"role": "spectator"},
        "bad-enrollment-no-user": {"user": None},
    }
    for seat, (sourced_id, fields) in zip(seats, spoilt.items(), strict=False):
        district.enrollments.append(maker.base(sourced_id) | {**_rest(seat), **fields})
