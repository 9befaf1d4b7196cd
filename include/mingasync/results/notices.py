"""The short mails: a district without a good night, a secret about to end, a quiet range about to begin or end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from include.mingasync.district import District
from include.mingasync.results.lateness import Late
from include.mingasync.results.mail import Mail, render
from include.mingasync.results.numbers import told_number
from include.mingasync.settings import Quiet

#: What the sync does in a quiet range.
_WHILE_QUIET = {"pause": "is paused", "additions_only": "only adds people: nobody is updated or archived"}


def late_mail(late: Sequence[Late], links: Mapping[str, str]) -> Mail:
    """One mail for all districts that are late; ``links`` leads from a slug to its last run."""
    number = f"{len(late)} district{'s' * (len(late) != 1)}"
    title = f"{number} without a good night for over 26 hours"
    lines = []
    for one in late:
        why = one.reason or "It gave no reason."
        words = f"{one.hours} hours: {one.district.name}. Last run: {one.state}. {why}"
        lines.append((words, links.get(one.district.slug)))
    cure = (
        "What to do: open the last run, mend what it names, then clear its failed task and everything after it, or trigger the "
        "DAG. "
        "Was there no run at all, look whether the DAG is paused and the scheduler alive."
    )
    return _mail(title, lines, [cure, _taken_away(late)])


def _taken_away(late: Sequence[Late]) -> str:
    archived, removed = sum(one.archived for one in late), sum(one.removed for one in late)
    if not archived and not removed:
        return "What was not changed: nobody was archived and no access was taken away since the last good night."
    people = told_number(archived, "person was", "people were")
    rolls = told_number(removed, "membership was", "memberships were")
    return f"Since the last good night {people} archived and {rolls} removed; the pages of the runs say whose."


def blind_mail(why: str) -> Mail:
    """The notice that the watchdog cannot ask the directory, and so can judge no district."""
    cure = (
        "What to do: check that PostgreSQL runs and that the Connection roster_db leads to it. "
        "The watchdog looks again every hour, and tells of this once a day."
    )
    safe = "Nothing was changed by this. Nights that start meanwhile fail before they read anything, and are mailed as failed."
    return _mail("the watchdog cannot see the directory", [(why, None)], [cure, safe])


def unusable_mail(why: Sequence[str]) -> Mail:
    """The notice that files of districts cannot be used; ``why`` has a sentence for each."""
    number = f"{len(why)} district file{'s' * (len(why) != 1)}"
    cure = (
        "What to do: correct what each line names. The district's DAG is there again as soon as Airflow has read the file; "
        "then replay the night that was missed. The watchdog looks again every hour, and tells of this once a day."
    )
    safe = (
        "Until then these districts have no nights: nobody new gets access, and nobody who left loses it. "
        "Every other district runs."
    )
    return _mail(f"{number} cannot be used", [(one, None) for one in why], [cure, safe])


def secret_mail(district: District, ends: dt.date, today: dt.date) -> Mail:
    """The notice that the secret of a district's SIS ends."""
    left = (ends - today).days
    when = f"ends in {left} day{'s' * (left != 1)}, on {ends}" if left > 0 else f"ended on {ends}"
    title = f"{district.name}: the secret for {district.sis.name} {when}"
    line = "After that day the SIS refuses to be read: nobody new gets access, and nobody who left loses it."
    cure = (
        f"What to do: have a new secret made in {district.sis.name}, put it into the Connection {district.connection_id}, "
        'and write its end into the extra "expires".'
    )
    return _mail(title, [(line, None)], [cure, "Nothing was changed by this."])


def quiet_mail(district: District, kind: str, quiet: Quiet, following: Quiet | None = None) -> Mail:
    """The notice to the contact that a quiet range begins or ends tomorrow; ``following``: that of the night after its last."""
    when = f"from {quiet.first} to {quiet.last}, both nights included"
    line = f"The roster sync {_WHILE_QUIET[quiet.mode]} {when}."
    if kind == "quiet begins":
        return _quiet(f"{district.name}: quiet time begins tomorrow", line)
    if following is None:
        return _quiet(f"{district.name}: quiet time ends tomorrow", f"{line} The night after, it runs as usual again.")
    after = f"The night after, another quiet time holds: until {following.last} it {_WHILE_QUIET[following.mode]}."
    return _quiet(f"{district.name}: a quiet time ends tomorrow, and another follows", f"{line} {after}")


def _quiet(title: str, line: str) -> Mail:
    return _mail(title, [(line, None)], ["To change this, edit 'quiet' in the district's settings."])


def _mail(title: str, lines: Sequence[tuple[str, str | None]], after: Sequence[str]) -> Mail:
    values = {"title": title, "lines": lines, "after": after}
    subject = f"MingaSync: {' '.join(title.split())}"
    return Mail(subject=subject, html=render("notice.html", values), text=render("notice.txt", values))
