"""E-mail addresses: which ones a mail can go to, and to nobody else."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def valid_address(text: str) -> str | None:
    """The address as a mail server takes it, in ASCII; None for what is none, or is more than one.

    Names, comments, groups, quoted parts and IP addresses in place of a domain are refused: readers of mail headers
    disagree about them, and so about whom a mail goes to. Whether anybody has the address is not asked.
    """
    try:
        return validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        return None


def address(text: str) -> str:
    """The address, for a model's field; ValueError in words when it is none."""
    found = valid_address(text)
    if found is None:
        raise ValueError("this is no e-mail address that a mail can go to; write one such as sam@example.org")
    return found
