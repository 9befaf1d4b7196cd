"""``python -m include.mingasync.airflow_glue.roles springfield``: a district's two roles in Airflow's FAB auth manager.

``springfield manager`` may edit the district, start, approve and undo there; ``springfield reader`` looks. Neither sees another
district, and neither may read or change Variables, Connections or other users: the console saves a district's settings itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from include.mingasync.district import District, find_district
from include.mingasync.errors import MingaSyncError

Right = tuple[str, str]

#: What Airflow's own pages of a DAG and the console in its navigation need; which DAG is said by the right on the DAG itself.
_LOOK = (
    "Website",
    "Plugins",
    "DAG Runs",
    "DAG Versions",
    "DAG Warnings",
    "Task Instances",
    "Task Logs",
    "HITL Detail",
    "My Profile",
)
_ACT: Sequence[Right] = (
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_edit", "Task Instances"),
    ("can_edit", "HITL Detail"),
)
#: They act for the district that a run names, and the plugin's guard asks for the right on that one.
_SHARED = ("mingasync_undo", "mingasync_connect")


def rights_of(district: District) -> dict[str, list[Right]]:
    """The rights of each of the district's roles, as FAB names them: action and resource."""
    reader = [*(("can_read", resource) for resource in _LOOK), ("can_read", f"DAG:{district.dag_id}")]
    manager = [*reader, *_ACT, ("can_edit", f"DAG:{district.dag_id}")]
    manager += [(action, f"DAG:{dag_id}") for dag_id in _SHARED for action in ("can_read", "can_edit")]
    return {f"{district.slug} manager": manager, f"{district.slug} reader": reader}


def make_roles(district: District) -> list[str]:
    """The names of the district's roles, which now have all of their rights; rights that somebody gave them beside stay."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    wanted = rights_of(district)
    with get_application_builder() as builder:
        builder.sm.bulk_sync_roles([{"role": name, "perms": rights} for name, rights in wanted.items()])
    return list(wanted)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 once the roles are there; 1 when there is no such district, with what to do."""
    parser = argparse.ArgumentParser(
        prog="python -m include.mingasync.airflow_glue.roles", description="Make a district's roles."
    )
    parser.add_argument("slug", help="the name of the district's file, without .yaml")
    slug = parser.parse_args(arguments).slug
    try:
        made = make_roles(find_district(slug))
    except MingaSyncError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name in made:
        sys.stdout.write(f"The role '{name}' is there. Give it to somebody: airflow users add-role -u NAME -r '{name}'\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
