"""Asks the model of model.py after each plain night whether the directory is as it ought to be."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation import model_lists
from tests.simulation.judging import Case, invariant
from tests.simulation.model import Model
from tests.simulation.runs_held import PLAIN


def _model(case: Case) -> Model | None:
    """The second opinion of a step; None where it has none."""
    job = case.job
    if job is None or case.fact.step.what not in PLAIN or not job.pull.is_clean:
        return None
    runs = case.fact.before.runs
    earlier = [one.pull.sis for one in case.life.jobs if one is not job and runs.get(one.run.run_id, {}).get("loaded_at")]
    return Model(
        case.fact.before, job.pull.sis, case.life.world.humans, case.who, case.row["settings"], job.run.night, job.answer, earlier,
        job.rostered,
    )  # fmt: skip


@invariant("runs")
def people_are_as_a_second_opinion_has_them(case: Case) -> Iterator[str]:
    """After a plain night everybody is as a slow model in plain Python, which shares no code with the product, works out."""
    if (model := _model(case)) is None:
        return
    for number, standing in model.standings.items():
        wanted = model.person_after(standing)
        entries = [row for one, row in case.after.items() if case.who.get(one) == number]
        if standing.person is not None:
            entries = [row for row in entries if row["person_id"] == standing.person["person_id"]]
        if wanted is None:
            if entries:
                yield f"{standing.human.given} was made, and ought not to be"
            continue
        if not entries and standing.person is None:
            yield f"{standing.human.given} was not made"
        for row in entries:
            for name, value in wanted.items():
                has = sorted(row[name]) if name in ("grades", "school_ids") and isinstance(row[name], list) else row[name]
                if has != (sorted(value) if isinstance(value, list) else value):
                    yield f"{standing.human.given} (person {row['person_id']}) has the {name} {has} and not {value}"


@invariant("runs")
def lists_are_as_a_second_opinion_has_them(case: Case) -> Iterator[str]:
    """After a plain night class, role and grade lists, and who is on them, are as that model works out."""
    if (model := _model(case)) is not None:
        yield from model_lists.complaints(model, case.fact.after)
