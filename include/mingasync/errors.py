"""Every error that a person may read: the number or name first, the cause, what to do, what was not changed."""

from __future__ import annotations

import difflib
import re
import types
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


class MingaSyncError(Exception):
    """An error with words for a person; never holds names, e-mails, tokens or secrets of people."""


class DistrictFileError(MingaSyncError):
    """A district file that cannot be used."""


class SettingsError(MingaSyncError):
    """A settings Variable with an unknown key or a wrong type; the run changes nothing."""


class MissingConnection(MingaSyncError):
    """An Airflow Connection that a run needs is not there."""


class SourceError(MingaSyncError):
    """The SIS could not be read: refused, unreachable, or not OneRoster. Nothing was changed."""


class SourceRefused(SourceError):
    """The SIS said no, and will say so again: trying once more tonight mends nothing. Nothing was changed."""


class SnapshotUnusable(MingaSyncError):
    """What a run read is not whole, was read anew since, or was written by a newer version; nothing is made from it."""


class SnapshotStoreRefused(MingaSyncError):
    """The snapshot store took no more: its disk is full, or it may not be written."""


class CriticalData(MingaSyncError):
    """The data cannot be trusted at all; the run stops before any change."""


class DirectoryRefused(MingaSyncError):
    """The directory's database refused a step or could not be reached; nothing of that step was kept."""


class SchemaRefused(MingaSyncError):
    """The directory's schema cannot be brought to this code's version; nothing was changed."""


class MailRefused(MingaSyncError):
    """The mail server did not take a mail; the sync itself is not touched by that."""


class LoadRefused(MingaSyncError):
    """The plan may not be applied, such as an older snapshot over newer data."""


class RunUndone(LoadRefused):
    """The run was undone, and stays so: its tasks do nothing more."""


def _inside(annotation: Any, part: object) -> Any:
    """The type one step down from an annotation, following optional, list and dict types."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((option for option in get_args(annotation) if option is not type(None)), None)
    if fields := getattr(annotation, "model_fields", None):
        if part in fields:
            return fields[part].annotation
        by_alias = {field.alias: field.annotation for field in fields.values()}
        return by_alias.get(str(part))
    arguments = get_args(annotation)
    return arguments[-1] if arguments and arguments[-1] is not Ellipsis else (arguments or (None,))[0]


def cure_of(error: ValidationError, model: type[BaseModel]) -> str:
    """One sentence per fault of a validated file or Variable: the key, the rule, the cure.

    Values are left out, since a wrong key may hold an address or a secret.
    """
    return " ".join(sentence for _, sentence in cures_of(error, model))


def cures_of(error: ValidationError, model: type[BaseModel]) -> list[tuple[tuple[str | int, ...], str]]:
    """The sentences of ``cure_of``, each with the place of its fault."""
    sentences = []
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            owner: Any = model
            for part in fault["loc"][:-1]:
                owner = _inside(owner, part)
            if get_origin(owner) in (Union, types.UnionType):
                owner = next(option for option in get_args(owner) if option is not type(None))
            fields = getattr(owner, "model_fields", {})
            known = [field.alias or name for name, field in fields.items() if name != "slug"]
            close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known) or 'none'}."
            sentence = f"key '{place}' is unknown; {hint}"
        elif fault["type"] == "missing":
            sentence = f"key '{place}' is missing; add it."
        else:
            rule = re.sub(r"^Value error, ", "", fault["msg"])
            sentence = f"key '{place or 'the whole'}': {rule}."
        sentences.append((fault["loc"], sentence))
    return sentences
