"""How an SIS is reached: address and credentials, free of Airflow."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from include.mingasync.errors import SourceRefused

AUTHS = ("oauth2", "oauth1", "bearer")
SIGNATURES = ("HMAC-SHA1", "HMAC-SHA256")
#: Keys of the extra of an SIS's Connection; ``expires`` is the day on which the secret ends, for the notice before it.
KEYS = ("auth", "token_url", "scope", "signature", "private_network", "expires")
#: What Airflow's own form writes into the extra of an http Connection, and what stands there when it is empty.
OF_AIRFLOW = re.compile(r"extra__http__\w+|__\w*")


@dataclass(frozen=True)
class Access:
    """Address and credentials of an SIS; printing it shows no secret."""

    root_url: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    auth: str = "oauth2"
    token_url: str | None = None
    scope: str | None = None
    #: whether the SIS may stand inside a private network
    private_network: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_connection(
        cls,
        *,
        host: str | None,
        schema: str | None = None,
        port: int | None = None,
        login: str | None = None,
        password: str | None = None,
        extra: Mapping[str, Any] | str | None = None,
        conn_type: str = "http",
    ) -> Access:
        """The access that the parts of an http Connection describe.

        Raises SourceRefused for an address that is none, or is plain http to anywhere but this machine, and for a key or
        value of the extra that is not known.
        """
        more = _extra(extra)
        url = host or ""
        if "://" not in url:
            url = f"{schema or ('https' if conn_type != 'http' or port in (None, 443) else 'http')}://{url}"
        parts = urlsplit(url)
        if port and not parts.port:
            url = parts._replace(netloc=f"{parts.hostname}:{port}").geturl()
        refuse_plain_http(url)
        auth = _one_of("auth", more.pop("auth", None) or "oauth2", AUTHS)
        token_url = more.pop("token_url", None)
        if token_url:
            refuse_plain_http(token_url)
        elif auth == "oauth2":
            raise SourceRefused(
                "The Connection has no token_url in its extra, where OAuth 2 gets its token. Add it, or set auth to one of "
                "oauth1, bearer. Nothing was changed."
            )
        if "signature" in more:
            more["signature"] = _one_of("signature", str(more["signature"]).upper(), SIGNATURES)
        return cls(
            root_url=url.rstrip("/"),
            client_id=login,
            client_secret=password,
            auth=auth,
            token_url=token_url,
            scope=more.pop("scope", None),
            private_network=_yes_or_no("private_network", more.pop("private_network", False)),
            extra=more,
        )

    @classmethod
    def to_bundle(
        cls,
        url: str,
        extra: Mapping[str, Any] | None = None,
        login: str | None = None,
        password: str | None = None,
    ) -> Access:
        """The access to a CSV bundle."""
        return cls(root_url=url, client_id=login, client_secret=password, auth="none", extra=dict(extra or {}))


def _extra(extra: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """The extra as a dict; SourceRefused names a key that is not known."""
    try:
        given: dict[str, Any] = dict(json.loads(extra or "{}") if isinstance(extra, str) else extra or {})
    except (ValueError, TypeError):
        raise SourceRefused(
            'The extra of the Connection is no JSON object such as {"auth": "oauth2"}. Nothing was changed.'
        ) from None
    for key in given:
        if key not in KEYS and not OF_AIRFLOW.fullmatch(key):
            raise SourceRefused(
                f"Key '{key}' in the extra of the Connection is unknown; {_meant(key, KEYS)} Nothing was changed."
            )
    return given


def _meant(given: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(given.lower(), known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}."


def _one_of(key: str, value: object, allowed: Collection[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    # Not the value itself: it may be a secret in the wrong place.
    hint = difflib.get_close_matches(str(value).lower(), [one.lower() for one in allowed], n=1)
    meant = next((f" Did you mean '{one}'?" for one in allowed if hint and one.lower() == hint[0]), "")
    raise SourceRefused(
        f"Key '{key}' in the extra of the Connection is none of {', '.join(allowed)}.{meant} Correct it there. "
        "Nothing was changed."
    )


def _yes_or_no(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    raise SourceRefused(
        f"Key '{key}' in the extra of the Connection is neither true nor false. Correct it there. Nothing was changed."
    )


def refuse_plain_http(url: str) -> None:
    """Raise SourceRefused unless the address is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        host = None
    # A backslash, a space or a name before the host lets two readers of one address see two hosts.
    if not host or re.search(r"[\\\s\x00-\x1f@]", parts.netloc):
        raise SourceRefused(
            "The Connection holds an address that is none; write the OneRoster root such as "
            "https://sis.example.org/ims/oneroster/v1p1, without a login in it. Nothing was changed."
        )
    if parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host)):
        return
    raise SourceRefused(
        f"The address of the SIS on {host} uses {parts.scheme}, which anybody between can read. "
        "Use https in the Connection. Nothing was changed."
    )


def is_this_machine(host: str) -> bool:
    """Whether a host, as it is written, is this machine's loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
