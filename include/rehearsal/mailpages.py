"""The mail sink's pages."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import localtime, parsedate_to_datetime
from html import escape

from starlette.responses import HTMLResponse, Response

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2430; background: #fff }
h1 { font-size: 1.4rem } h1 small { font-weight: normal }
a { color: #1f5fbf; text-decoration: none } a:hover { text-decoration: underline }
small, dt, time { color: #5b6676 } ul { padding: 0 } dl { margin: 0 }
li { list-style: none; padding: .7rem 0; border-bottom: 1px solid #e5e8ec }
li time { float: right; font-size: .9rem } li a { font-weight: 600 }
dt { float: left; clear: left; width: 5rem } dd { margin: 0 0 .2rem 5rem; overflow-wrap: anywhere }
nav a { margin-right: 1rem } .refusing { background: #fde8e8; color: #8a1c1c; padding: .6rem 1rem }
iframe { width: 100%; height: 75vh; margin-top: 1rem; border: 1px solid #e5e8ec; border-radius: 8px;
  background: #fff }
@media (prefers-color-scheme: dark) {
  body { background: #12161c; color: #e6eaf0 } li, iframe { border-color: #2c3540 } a { color: #7fb0ff }
  small, dt, time { color: #97a3b4 } .refusing { background: #4a1d1d; color: #ffd0d0 }
}
"""
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
#: A mail may show itself and open its links in a new window; it may not run, load or send anything.
_ALLOWED = "allow-popups allow-popups-to-escape-sandbox"
_MAIL_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox {_ALLOWED}"
_KINDS = {"html": "text/html", "plain": "text/plain"}


def summary(number: int, mail: EmailMessage) -> dict[str, object]:
    """A mail's headers as JSON tells them."""
    names = ("subject", "from", "to", "date", "message-id")
    return {"number": number} | {name: str(mail[name]) if mail[name] else None for name in names}


def listing(mails: Sequence[tuple[int, EmailMessage]], refusing: bool) -> Response:
    """The page that lists the mails."""
    rows = [
        f"<li><time>{escape(_when(mail))}</time><a href='/mails/{number}'>{escape(_subject(mail))}</a><br>"
        f"<small>{escape(str(mail['from'] or ''))} → {escape(str(mail['to'] or ''))}</small></li>"
        for number, mail in mails
    ]
    warning = "<p class=refusing>The server refuses every mail (PUT /smtp).</p>" if refusing else ""
    heading = f"<h1>Mails <small>({len(mails)})</small></h1>"
    return _page("Mails", f"{heading}{warning}<ul>{''.join(rows) or '<li>No mail yet.</li>'}</ul>")


def single(number: int, mail: EmailMessage) -> Response:
    """The page of one mail: its headers, its HTML part in a frame, and a link to its text part."""
    names = ("From", "To", "Cc", "Date", "Message-ID")
    heads = "".join(f"<dt>{name}</dt><dd>{escape(str(mail[name]))}</dd>" for name in names if mail[name])
    files = [escape(attached.get_filename() or "unnamed") for attached in mail.iter_attachments()]
    heads += f"<dt>Files</dt><dd>{', '.join(files)}</dd>" if files else ""
    links = f"<nav><a href='/'>All mails</a><a href='/mails/{number}/plain'>Text part</a></nav>"
    shown = "html" if mail.get_body(("html",)) else "plain"
    frame = f"<iframe title='The mail' sandbox='{_ALLOWED}' src='/mails/{number}/{shown}'></iframe>"
    return _page(_subject(mail), f"{links}<h1>{escape(_subject(mail))}</h1><dl>{heads}</dl>{frame}")


def part(mail: EmailMessage, name: str) -> Response | None:
    """The HTML or the plain part of a mail, which cannot run or load anything; None if there is none."""
    body = mail.get_body((name,)) if name in _KINDS else None
    if body is None:
        return None
    content = body.get_content()
    if name == "html":
        content = f"<base target=_blank>{content}"  # a link cannot open within the frame
    headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=_KINDS[name], headers=headers)


def _subject(mail: EmailMessage) -> str:
    return str(mail["subject"] or "(no subject)")


def _when(mail: EmailMessage) -> str:
    try:
        return f"{localtime(parsedate_to_datetime(str(mail['date']))):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return "no date"


def _page(title: str, body: str) -> Response:
    head = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    headers = {"Content-Security-Policy": _PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(head + body, headers=headers)
