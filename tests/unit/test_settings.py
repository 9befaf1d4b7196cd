"""Settings: defaults, overrides of schools, and errors that name key and cure."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from include.mingasync.errors import SettingsError
from include.mingasync.settings import read_settings


def test_everything_is_off_by_default() -> None:
    for text in (None, "", "{}"):
        read = read_settings(text, "mingasync_oak")
        assert not read.automatic_rostering and not read.class_lists.enabled and not read.results_email.enabled
        assert not any((read.roles.student.roster, read.roles.staff.archive, read.roles.admin.auto_update))
        assert (read.safety.archive_percent, read.safety.archive_minimum) == (10, 20)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"rolls": {}}', "key 'rolls' is unknown; did you mean 'roles'?"),
        ('{"roles": {"student": {"rooster": true}}}', "key 'roles.student.rooster' is unknown; did you mean 'roster'?"),
        ('{"auto_lists": {"role": "yes"}}', "key 'auto_lists.role'"),
        ('{"auto_lists": {"role": 1}}', "key 'auto_lists.role'"),
        ('{"class_lists": {"terms": "fall"}}', "key 'class_lists.terms'"),
        ('{"schools": {"S1": {"class_list": {}}}}', "schools.S1: key 'class_list' is unknown"),
        ('{"quiet": [{"from": "2027-06-11", "to": "2027-01-01", "mode": "pause"}]}', "'to' lies before 'from'"),
        ("{", "is not valid JSON (line 1"),
        ("[]", "must hold a JSON object"),
    ],
)
def test_a_wrong_variable_names_itself_the_key_and_what_was_not_changed(text: str, named: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings(text, "mingasync_oak")
    assert named in str(error.value)
    assert "Variable mingasync_oak" in str(error.value) and "Nothing was changed." in str(error.value)


def test_an_error_never_quotes_a_value() -> None:
    with pytest.raises(SettingsError) as error:
        read_settings('{"results_email": {"recipients": {"secret": "someone@example.org"}}}', "mingasync_oak")
    assert "someone" not in str(error.value)


def test_a_school_overrides_key_by_key() -> None:
    read = read_settings(
        json.dumps(
            {
                "roles": {"student": {"roster": True, "archive": True}},
                "class_lists": {"enabled": True, "terms": ["year"]},
                "schools": {"S1": {"roles": {"student": {"archive": False}}, "class_lists": {"terms": ["fall"]}}},
            }
        ),
        "mingasync_oak",
    )
    own, other = read.for_school("S1"), read.for_school("S2")
    assert (own.roles.student.roster, own.roles.student.archive, own.class_lists.enabled) == (True, False, True)
    assert (own.class_lists.terms, other.class_lists.terms, other.roles.student.archive) == (["fall"], ["year"], True)


def test_a_pause_beats_additions_only_and_both_ends_count() -> None:
    quiet = [
        {"from": "2027-06-11", "to": "2027-08-10", "mode": "additions_only"},
        {"from": "2027-07-01", "to": "2027-07-02", "mode": "pause"},
    ]
    read = read_settings(json.dumps({"quiet": quiet}), "mingasync_oak")
    modes = {day: getattr(read.quiet_on(dt.date.fromisoformat(day)), "mode", None) for day in
             ("2027-06-10", "2027-06-11", "2027-07-01", "2027-07-02", "2027-08-10", "2027-08-11")}  # fmt: skip
    assert list(modes.values()) == [None, "additions_only", "pause", "pause", "additions_only", None]


OWN = {"quiet": [{"from": "2027-06-11", "to": "2027-08-10", "mode": "pause"}]}


@pytest.mark.parametrize(
    ("district", "own", "paused"),
    [
        ({}, {"automatic_rostering": False}, True),
        ({}, OWN, True),
        ({}, {"quiet": [OWN["quiet"][0] | {"mode": "additions_only"}]}, False),
        ({}, {"new_lists_public": True}, False),
        ({"automatic_rostering": False}, {"new_lists_public": True}, False),
        (OWN, {"automatic_rostering": True}, False),
    ],
)
def test_a_school_is_paused_by_settings_of_its_own_alone(district: dict[str, Any], own: dict[str, Any], paused: bool) -> None:
    text = json.dumps({"automatic_rostering": True} | district | {"schools": {"S1": own}})
    settings = read_settings(text, "mingasync_oak")
    assert settings.pauses("S1", dt.date(2027, 7, 1)) is paused
    assert not settings.pauses("S2", dt.date(2027, 7, 1)) and not settings.pauses(None, dt.date(2027, 7, 1))
    if own == OWN:
        assert not settings.pauses("S1", dt.date(2027, 8, 11))
