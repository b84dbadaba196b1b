"""``pbf-ray results``: what a job has written, on the screen or as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import data_dir_option, job_option, json_option, pass_invocation
from pbf_ray.cli.streams import say, tell, write_json
from pbf_ray.errors import PbfRayError

if TYPE_CHECKING:
    import pyarrow as pa

    from pbf_ray.config import Settings
    from pbf_ray.jobs.results import Results

__all__ = ["results_command"]

_TABLES: Final = {
    "layers": "layer_quality",
    "anomalies": "ispm_anomalies",
    "dead-letters": "dead_letters",
    "late": "late_records",
    "monitoring": "ispm_monitoring",
    "quality": "quality_metrics",
}
_NAMES: Final = {
    "dead-letters": "dead letters",
    "late": "late records",
    "monitoring": "records",
    "quality": "rolling quality",
}
_USUAL_LIMIT: Final = 20


@click.command("results")
@click.argument("what", type=click.Choice([*_TABLES, "books"]), default="layers")
@job_option
@data_dir_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Most rows [default: {_USUAL_LIMIT} on the screen, all with --json and --out].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write all columns to a file: .parquet, .csv or .jsonl.",
)
@json_option
@pass_invocation
def results_command(
    invocation: Invocation, what: str, limit: int | None, out: Path | None, as_json: bool
) -> None:
    """Show what a job has written, also while it runs.

    WHAT is layers (a row per layer; the default), anomalies, dead-letters, late, monitoring
    (every accepted record), quality (rolling quality per record) or books (where every record
    went).
    """
    from pbf_ray.cli.export import FORMATS

    if out is not None and what == "books":
        raise click.UsageError("--out is for tables; the books are shown with --json")
    if out is not None and out.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--out {out}: the name should end in {', '.join(FORMATS)}")
    settings = invocation.settings()
    results = _results(settings)
    if what == "books":
        _show_books(results, as_json=as_json)
    elif out is not None:
        _export(results, what, limit, out, as_json=as_json)
    elif as_json:
        rows = _read(results, what, limit).to_pylist()
        write_json({"job_id": settings.job.name, "table": _TABLES[what], "rows": rows})
    else:
        _show(results, what, limit or _USUAL_LIMIT)


def _results(settings: Settings) -> Results:
    from pbf_ray.jobs.results import Results

    job, data_dir = settings.job.name, settings.job.data_dir
    if not settings.stores_root.exists():
        found = sorted(
            place.parent.name for place in data_dir.glob("*/checkpoint") if place.is_dir()
        )
        raise PbfRayError(
            f"job {job} has written nothing in {settings.stores_root}",
            advice=f"check --job; jobs in {data_dir}: {', '.join(found)}"
            if found
            else "check --job and --data-dir, or run pbf-ray stream or pbf-ray demo first",
            job=job,
        )
    return Results(settings)


def _read(
    results: Results, what: str, limit: int | None, columns: tuple[str, ...] | None = None
) -> pa.Table:
    if what != "layers":
        return results.read(_TABLES[what], columns=columns, limit=limit)
    # Few and small: in the order of printing, and only then cut.
    table = results.read(_TABLES[what], columns=columns).sort_by(
        [("build_id", "ascending"), ("layer", "ascending")]
    )
    return table if limit is None else table.slice(0, limit)


def _show(results: Results, what: str, limit: int) -> None:
    from pbf_ray.cli.render.layers import layers_table
    from pbf_ray.cli.render.rows import VIEWS, rows_table
    from pbf_ray.cli.render.text import console_for, count, show

    total = results.count(_TABLES[what])
    if not total:
        say(f"the job has written no {_NAMES.get(what, what)}")
        return
    width = console_for(sys.stdout).width
    if what == "layers":
        rows: list[dict[str, Any]] = _read(results, what, limit).to_pylist()
        view = layers_table(rows, width=width)
    else:
        rows = _read(results, what, limit, VIEWS[what].needs).to_pylist()
        view = rows_table(rows, VIEWS[what], width=width)
    show(view, sys.stdout, width=width)
    if len(rows) < total:
        tell(f"{count(len(rows))} of {count(total)} rows; --limit N for more, --out FILE for all")


def _show_books(results: Results, *, as_json: bool) -> None:
    books = results.books()
    if as_json:
        write_json(books)
        return
    from pbf_ray.cli.render.books import books_view
    from pbf_ray.cli.render.text import show

    show(books_view(books), sys.stdout)


def _export(results: Results, what: str, limit: int | None, out: Path, *, as_json: bool) -> None:
    from pbf_ray.cli.export import export_table

    table = _read(results, what, limit)
    export_table(table, out)
    if as_json:
        write_json({"table": _TABLES[what], "rows": table.num_rows, "file": str(out.absolute())})
    else:
        say(f"{table.num_rows:,} rows of {_TABLES[what]} in {out}")
