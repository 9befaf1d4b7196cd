"""The mails of a district that is being connected: to those who run the product, and to the contact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.mingasync.connecting.checklists import checklist_of
from include.mingasync.connecting.steps import Request
from include.mingasync.results.mail import Mail, render


def support_mail(request: Request, page: str) -> Mail:
    """What a district asks for, to those who run the product."""
    facts = [
        ("District", request.district_name),
        ("Schools", ", ".join(request.schools)),
        ("SIS", request.sis_name),
        ("Contact", f"{request.contact_name}, {request.contact_email}"),
        ("Sent by", request.requested_by),
    ]
    lines = [
        "This district asks to be connected.",
        f"The contact gets a mail of its own with what to share in {request.sis_name}.",
    ]
    return _mail(f"{request.district_name}: connection request", lines, facts=facts, link=("The steps of this connection", page))


def checklist_mail(request: Request, support: str | None) -> Mail:
    """What the contact shares in the SIS, and what to give back."""
    checklist = checklist_of(request.sis_name)
    whom = support or "whoever runs MingaSync for you"
    lines = [
        f"Hello {request.contact_name},",
        f"MingaSync keeps the people and user lists of {request.district_name} the same as {request.sis_name}, every night. "
        f"So that it can read them, {request.sis_name} has to share this with it over OneRoster:",
    ]
    after = [
        checklist.where,
        *checklist.notes,
        f"Schools asked for: {', '.join(request.schools)}.",
        f"Then give back the address at which {request.sis_name} serves OneRoster, the address for tokens, the client id and "
        "the client secret, or where its export of CSV files is. Hand over the secret in the way in which your district "
        "hands over secrets, not by mail.",
        f"Once that is done, tell {whom}: the connection is then verified, the first sync is run, and you get a mail that "
        "the setup is complete.",
    ]
    items = [(one.collection, one.words, f"{one.purpose}; {one.need}") for one in checklist.items]
    title = f"{request.district_name}: what to share with MingaSync in {request.sis_name}"
    return _mail(title, lines, items=items, after=after)


def confirmation_mail(request: Request, support: str | None, page: str) -> Mail:
    """That the first sync succeeded and the setup is complete, to the contact."""
    lines = [
        f"Hello {request.contact_name},",
        f"The first sync of {request.district_name} from {request.sis_name} has succeeded. Your MingaSync setup is complete.",
    ]
    after = [
        "What comes next: choose the terms whose classes become user lists, and turn on Automatic Rostering for the nights.",
        "Keep Auto update and Archive turned off until you confirm your rostering sync is working correctly, then turn them on "
        "when you are ready for automated updates and archiving.",
        *([f"Questions: {support}."] if support else []),
    ]
    title = f"{request.district_name}: MingaSync is set up"
    return _mail(title, lines, after=after, link=("Rostering Settings", page))


def _mail(
    title: str,
    lines: Sequence[str],
    *,
    facts: Sequence[tuple[str, str]] = (),
    items: Sequence[tuple[str, str, str]] = (),
    after: Sequence[str] = (),
    link: tuple[str, str] | None = None,
) -> Mail:
    values: dict[str, Any] = {"title": title, "lines": lines, "facts": facts, "items": items, "after": after, "link": link}
    # One line, whatever was typed: a header ends where its line does.
    subject = f"MingaSync: {' '.join(title.split())}"
    return Mail(subject=subject, html=render("connection.html", values), text=render("connection.txt", values))
