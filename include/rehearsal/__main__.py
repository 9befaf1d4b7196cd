"""``python -m include.rehearsal``: rehearse without a real SIS and a real mail server."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from include.rehearsal.bundles import write_bundle
from include.rehearsal.collections import read_collections
from include.rehearsal.district import build
from include.rehearsal.mailsink import MailFolder, mail_application, smtp_server
from include.rehearsal.records import District
from include.rehearsal.running import serve
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for, on this machine's loopback only."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _serve(options: argparse.Namespace) -> None:
    app = application(
        client_id=options.client_id,
        client_secret=options.client_secret,
        bearer=options.bearer,
        district=read_collections(options.folder) if options.folder else None,
        students=options.students,
        schools=options.schools,
        seed=options.seed,
        night=options.night,
        dirt=options.dirt,
    )
    serve(app, options.port)


def _mail(options: argparse.Namespace) -> None:
    folder = MailFolder(options.folder)
    with smtp_server(folder, options.smtp_port):
        serve(mail_application(folder), options.http_port)


def _bundle(options: argparse.Namespace) -> None:
    where = write_bundle(_district(options), options.to, options.version)
    sys.stdout.write(f"{where}\n")


def _numbers(options: argparse.Namespace) -> None:
    json.dump(_district(options).numbers(), sys.stdout, indent=2)
    sys.stdout.write("\n")


def _district(options: argparse.Namespace) -> District:
    if options.folder:
        return read_collections(options.folder)
    return build(options.students, options.schools, seed=options.seed, night=options.night, dirt=options.dirt)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.rehearsal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    serving = commands.add_parser("serve", help="a OneRoster server of 1.1 and 1.2")
    serving.set_defaults(run=_serve)
    serving.add_argument("--port", type=int, required=True)
    serving.add_argument("--client-id", default=CLIENT_ID)
    serving.add_argument("--client-secret", default=CLIENT_SECRET)
    serving.add_argument("--bearer", default="", help="a static token, accepted beside the others")

    bundle = commands.add_parser("bundle", help="write the district as a CSV bundle")
    bundle.set_defaults(run=_bundle)
    bundle.add_argument("--to", type=Path, required=True, help="a folder, or a file that ends in .zip")
    bundle.add_argument("--version", choices=("1.1", "1.2"), default="1.2")

    numbers = commands.add_parser("numbers", help="print the district's own counts")
    numbers.set_defaults(run=_numbers)

    for command in (serving, bundle, numbers):
        command.add_argument("--folder", type=Path, help="JSON collections to take instead of an invented district")
        command.add_argument("--night", type=int, default=1)
        command.add_argument("--students", type=int, default=2400)
        command.add_argument("--schools", type=int, default=3)
        command.add_argument("--seed", type=int, default=7)
        command.add_argument("--dirt", action="store_true", help="with a few bad records of each kind")

    mail = commands.add_parser("mail", help="a mail server that keeps every mail, and a page to read them")
    mail.set_defaults(run=_mail)
    mail.add_argument("--smtp-port", type=int, required=True)
    mail.add_argument("--http-port", type=int, required=True)
    mail.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    main()
