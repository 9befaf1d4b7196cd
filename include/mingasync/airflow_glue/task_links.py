"""Links of tasks in Airflow to the pages of the console on which a person goes on."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink

from include.mingasync.airflow_glue.context import console


class _PageOfRun(BaseOperatorLink):
    """A page of the run of which a task is."""

    title: str
    below: str

    @property
    def name(self) -> str:
        """What the button says."""
        return self.title

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The page's whole address."""
        from urllib.parse import quote

        slug = ti_key.dag_id.removeprefix("mingasync_")
        return f"{console()}/districts/{slug}/runs/{quote(ti_key.run_id, safe='')}{self.below}"


class RosterResult(_PageOfRun):
    """What the run did, and what to fix."""

    title, below = "Roster result", ""


class DecisionPage(_PageOfRun):
    """Who waits for an answer, and the answer."""

    title, below = "Decision page", "/decision"


class DataDocs(_PageOfRun):
    """The proof of the data, by great-expectations."""

    title, below = "Data Docs", "/data-docs/index.html"


def linked(task: Any, *links: BaseOperatorLink) -> Any:
    """The task, an operator or what a decorated function gave, with these links."""
    getattr(task, "operator", task).operator_extra_links = links
    return task
