"""What a sequence is made of: plain steps, drawn from a seed, each of which can be left out of the story."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step: what is done, and three numbers of which it takes what it needs, whoever is there by then."""

    what: str
    a: int = 0
    b: int = 0
    c: int = 0

    def __str__(self) -> str:
        return f"{self.what}:{self.a}:{self.b}:{self.c}"

    @classmethod
    def read(cls, text: str) -> Step:
        """The step of a text such as ``leave:3:1:0``."""
        what, *numbers = text.split(":")
        return cls(what, *map(int, numbers))


#: How often each step is drawn, beside the others.
WEIGHTS: Mapping[str, int] = {
    # nights of every kind
    "night": 24, "bad_night": 7, "killed_night": 4, "preview": 4, "two_runs": 5, "days": 4,
    # what Airflow or an operator may do at any later time
    "clear": 5, "backfill": 3, "undo": 6, "restore_dump": 1,
    # what happens in the schools
    "leave": 6, "join": 5, "come_back": 5, "move": 5, "marry": 3, "prefer": 2, "mail": 2, "blank": 2, "role": 3, "second_role": 5, "renumber": 4,
    "reissue": 5, "inherit": 8, "swap_ids": 1, "second_record": 3, "drop_record": 2, "enroll": 6, "drop": 4, "end_enrollment": 2, "teach": 4,
    "class": 4, "merge": 2, "split": 2, "retitle": 2, "term": 3, "session": 2, "org": 1, "grade": 2, "rollover": 2,
    # what people do by hand
    "pin": 4, "unpin": 1, "exclude": 4, "include": 3, "add_person": 3, "retype": 2, "add_member": 4, "remove_member": 3,
    "rename": 2, "visible": 3, "relink": 4, "refuse": 3, "setting": 30, "school_setting": 12, "schools": 4,
}  # fmt: skip
_STEPS = 16
#: Drawn in every sequence. Of the other kinds each sequence has a half: fewer kinds meet each other more often.
_ALWAYS = frozenset(
    (
        "night",
        "bad_night",
        "killed_night",
        "preview",
        "two_runs",
        "days",
        "clear",
        "backfill",
        "undo",
        "setting",
        "school_setting",
    )
)


def sequence(seed: int, length: int = _STEPS) -> list[Step]:
    """The steps of a seed: the first night, and what comes after it; the last step is always a night."""
    luck = random.Random(seed)
    others = sorted(WEIGHTS.keys() - _ALWAYS)
    names = sorted(_ALWAYS) + luck.sample(others, len(others) // 2)
    drawn = luck.choices(names, [WEIGHTS[name] for name in names], k=length - 2)
    steps = [Step(what, luck.randrange(60), luck.randrange(60), luck.randrange(60)) for what in drawn]
    return [Step("night", 1), *steps, Step("night", 1)]
