"""How an SIS is reached: address and credentials, free of Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from include.mingasync.errors import SourceError


@dataclass(frozen=True)
class Access:
    """Address and credentials of an SIS; printing it shows no secret."""

    root_url: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    auth: str = "oauth2"
    token_url: str | None = None
    scope: str | None = None
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

        Raises SourceError for an address that is none, or is plain http to anywhere but this machine.
        """
        more = dict(json.loads(extra) if isinstance(extra, str) else extra or {})
        url = host or ""
        if "://" not in url:
            url = f"{schema or ('https' if conn_type != 'http' or port in (None, 443) else 'http')}://{url}"
        parts = urlsplit(url)
        if port and not parts.port:
            url = parts._replace(netloc=f"{parts.hostname}:{port}").geturl()
        refuse_plain_http(url)
        token_url = more.pop("token_url", None)
        if token_url:
            refuse_plain_http(token_url)
        return cls(
            root_url=url.rstrip("/"),
            client_id=login,
            client_secret=password,
            auth=more.pop("auth", "oauth2"),
            token_url=token_url,
            scope=more.pop("scope", None),
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


def refuse_plain_http(url: str) -> None:
    """Raise SourceError unless the address is https, or http on this machine."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise SourceError(f"'{url}' is no address; write the OneRoster root such as https://sis.example.org/ims/oneroster/v1p1.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise SourceError(
        f"The address of the SIS on {parts.hostname} uses {parts.scheme}, which anybody between can read. "
        "Use https in the Connection. Nothing was changed."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
