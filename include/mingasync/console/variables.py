"""The Airflow Variable that holds a district's settings: read as a run would read it, and saved only over what was shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256

from airflow._shared.secrets_backend.base import call_secrets_backend_method
from airflow.configuration import ensure_secrets_loaded
from airflow.models.variable import Variable
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.secrets.metastore import MetastoreBackend
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.mingasync.console.metastore import metastore
from include.mingasync.console.reading import Unreadable
from include.mingasync.errors import MingaSyncError


class Changed(MingaSyncError):
    """The Variable does not hold any more what was shown to the person who saves; nothing was saved."""


@dataclass(frozen=True)
class Stored:
    """What a run would read now; ``shadowed_by`` names the place that wins over Airflow's database, None where nothing does."""

    text: str | None
    shadowed_by: str | None = None

    @property
    def version(self) -> str:
        """Stands for this very text: another one as soon as it is changed in any way."""
        return sha256(b"-" if self.text is None else b"+" + self.text.encode()).hexdigest()


def read_variable(key: str) -> Stored:
    """The Variable as it stands; Unreadable where a place that may hold it cannot be asked, as nobody knows then what holds."""
    for backend in ensure_secrets_loaded():
        if isinstance(backend, MetastoreBackend):
            continue
        try:
            text = call_secrets_backend_method(backend.get_variable, team_name=None, key=key)
        except Exception as error:
            raise Unreadable(
                f"The secrets backend {type(backend).__name__} does not answer, so nobody can say which settings hold.",
                "The api-server's log has its own words. Nothing was changed.",
            ) from error
        if text is not None:
            in_environment = isinstance(backend, EnvironmentVariablesBackend)
            place = f"environment variable AIRFLOW_VAR_{key.upper()}" if in_environment else type(backend).__name__
            return Stored(text, place)
    with _metastore() as session:
        return Stored(_text(session.scalar(select(Variable).where(Variable.key == key))))


@contextmanager
def saving(key: str, shown: str, text: str) -> Iterator[None]:
    """Put a text in the place of the one whose version was shown, as a whole with what the block does.

    Raises Changed when the Variable holds another text by now. What the block raises leaves the Variable as it was.
    """
    fresh = Variable(key=key, val=text)  # type: ignore[no-untyped-call]  # Airflow's model has no types
    with _metastore() as session:
        held = session.scalar(select(Variable).where(Variable.key == key).with_for_update())
        if Stored(_text(held)).version != shown:
            raise Changed("The settings were changed meanwhile. Nothing was saved.")
        if held is None:
            fresh.description = "Settings of a district, edited on its page in Rostering"
            session.add(fresh)
        else:
            # Compared once more by the database: not every one of them holds the row for us.
            own = update(Variable).where(Variable.id == held.id, Variable._val == held._val)
            new = own.values(val=fresh._val, is_encrypted=fresh.is_encrypted).execution_options(synchronize_session=False)
            if session.execute(new).rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result counts rows
                raise Changed("The settings were changed meanwhile. Nothing was saved.")
        try:
            session.flush()
        except IntegrityError:
            raise Changed("The settings were written for the first time meanwhile. Nothing was saved.") from None
        yield
    from airflow.sdk import SecretCache

    SecretCache.invalidate_variable(key)


def _metastore() -> AbstractContextManager[Session]:
    return metastore("holds the settings", "Nothing was changed.")


def _text(variable: Variable | None) -> str | None:
    if variable is None:
        return None
    text: str | None = variable.get_val()  # type: ignore[no-untyped-call]  # Airflow's model has no types
    if text is None:
        raise Unreadable(
            "The settings are stored with a key that this api-server does not have, and cannot be read.",
            "Give every part of Airflow the same AIRFLOW__CORE__FERNET_KEY. Nothing was changed.",
        )
    return text
