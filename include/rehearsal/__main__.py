"""``python -m include.rehearsal serve | mail | numbers``: rehearse without a real SIS and a real mail server."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import uvicorn


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for, on this machine's loopback only."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        from include.rehearsal.collections import read_collections
        from include.rehearsal.server import application

        district = read_collections(options.folder) if options.folder else None
        app = application(
            options.client_id, options.client_secret, district, students=options.students, seed=options.seed, night=options.night
        )
        uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)
    elif options.command == "mail":
        from include.rehearsal.mailsink import MailFolder, application, smtp_server

        folder = MailFolder(options.folder)
        server = smtp_server(folder, options.smtp_port)
        server.start()
        try:
            uvicorn.run(application(folder), host="127.0.0.1", port=options.http_port, log_level="warning", access_log=False)
        finally:
            server.stop()
    else:
        from include.rehearsal.district import build

        json.dump(build(students=options.students, seed=options.seed, night=options.night).numbers(), sys.stdout, indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.rehearsal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="a OneRoster server of 1.1 and 1.2")
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--folder", type=Path, help="serve the JSON collections of this folder instead")
    serve.add_argument("--client-id", default="rehearsal")
    serve.add_argument("--client-secret", default="rehearsal-secret")
    numbers = commands.add_parser("numbers", help="print the district's own counts")
    for command in (serve, numbers):
        command.add_argument("--night", type=int, default=1)
        command.add_argument("--students", type=int, default=2400)
        command.add_argument("--seed", type=int, default=7)
    mail = commands.add_parser("mail", help="a mail server that keeps every mail, and a page to read them")
    mail.add_argument("--smtp-port", type=int, required=True)
    mail.add_argument("--http-port", type=int, required=True)
    mail.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    main()
