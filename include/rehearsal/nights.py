"""What happens in a district from one day to the next."""

from __future__ import annotations

from include.rehearsal.maker import Maker
from include.rehearsal.night import Night
from include.rehearsal.night_classes import change_classes
from include.rehearsal.night_staff import change_staff, change_teachers
from include.rehearsal.night_students import change_students, let_return
from include.rehearsal.records import District, Record


def next_night(district: District, maker: Maker, number: int, gone: list[Record]) -> None:
    """Turn the district into what it is a day later, ``changes`` counting what was done.

    Nobody is touched twice in a night. ``gone`` remembers who vanished over the nights. What is rarer comes
    with the third night: accounts that are disabled, classes marked to be deleted, students who return.
    """
    night = Night(district, maker, gone)
    rare = number > 2
    change_students(night, rare)
    if rare:
        let_return(night)
    change_teachers(night)
    change_staff(night)
    change_classes(night, rare)
    night.finish()
