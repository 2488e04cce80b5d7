"""The command line: ``crossrec run``, ``tune``, ``recommend``, ``serve``, ``report`` and more."""

import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from crossrec_pipeline.cli_models import models_app
from crossrec_pipeline.cli_serve import INTERRUPTED, ServerInterruptedError, serve
from crossrec_pipeline.errors import BundleError, CrossrecError
from crossrec_pipeline.settings import load_settings, project_root, unknown_variables

if TYPE_CHECKING:
    from crossrec_pipeline.serving.recommender import Recommendation

EXAMPLE = ("Movie_Creed III", "Movie_Mummies", "Movie_Supercell")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Session-based recommendations across movies, music and books.",
)
app.add_typer(models_app, name="models")
app.command()(serve)


@app.command()
def run(
    controls: Annotated[
        bool, typer.Option("--controls", help="train the controls too: minutes")
    ] = False,
) -> None:
    """Build everything that is out of date; then show the figures and an example."""
    settings = load_settings()
    _default_home()
    from crossrec_pipeline.defs.rebuild import rebuild, rebuild_with_controls

    n_built = rebuild_with_controls(settings) if controls else rebuild(settings)
    typer.echo(f"{n_built} assets built.\n" if n_built else "Everything is up to date.\n")
    report()
    _show_example()
    typer.echo("\nReport page:  " + str(settings.evaluation_dir / "report.html"))
    typer.echo("Charts page:  " + str(settings.data_dir / "exploration" / "charts.html"))
    typer.echo("Dagster UI:   make ui, then http://localhost:3000")


def _default_home() -> None:
    home = project_root() / "dagster_home"
    os.environ.setdefault("DAGSTER_HOME", str(home.resolve()))


def _show_example() -> None:
    from crossrec_pipeline.serving.recommender import load_recommender

    recommender = load_recommender()
    known = [item for item in EXAMPLE if item in recommender.vocabulary]
    session = known or recommender.vocabulary.item_ids[:3]
    typer.echo(f"\nAfter {', '.join(session)}:")
    _print_rows(recommender.recommend_next_items(session, top_k=5, exclude_seen=True))


def _print_rows(rows: Sequence["Recommendation"]) -> None:
    width = max((len(row.item_id) for row in rows), default=0)
    for row in rows:
        typer.echo(f"  {row.score:7.4f}  {row.item_type:<8} {row.item_id:<{width}}  {row.title}")


@app.command()
def tune(
    trials: Annotated[
        int, typer.Option(min=1, help="trials in all, those of a search broken off included")
    ] = 20,
) -> None:
    """Search for GRU4Rec's configuration on validation; Ctrl-C and again goes on."""
    settings = load_settings()
    _default_home()
    from crossrec_pipeline.defs.rebuild import search
    from crossrec_pipeline.models.gru4rec.tuned import tuned_overrides

    search(settings, trials)
    found = json.dumps(tuned_overrides(settings.tuning_dir))
    typer.echo(f"\nBest, other than the preset:  {found}")
    typer.echo("To train with it:  CROSSREC_TRAINING__PRESET=tuned crossrec run")


@app.command()
def recommend(
    items: Annotated[list[str], typer.Argument(help="item ids or titles, oldest first")],
    top_k: Annotated[int, typer.Option(help="how many recommendations")] = 10,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="only this item type; may be repeated")
    ] = None,
    exclude_seen: Annotated[bool, typer.Option(help="leave out the session's own items")] = False,
) -> None:
    """Recommend the next items of a session, with the champion model."""
    from crossrec_pipeline.serving.recommender import load_recommender
    from crossrec_pipeline.serving.stored_champion import StoredChampion

    settings = load_settings()
    if settings.store is not None:
        StoredChampion(settings, _write_line).bring()
    rows = load_recommender().recommend_next_items(
        items, top_k=top_k, types=type_, exclude_seen=exclude_seen
    )
    _print_rows(rows)


@app.command()
def report() -> None:
    """Show the headline figures of the last evaluation."""
    import polars as pl

    from crossrec_pipeline.evaluation.report import headline_table
    from crossrec_pipeline.outputs import REPORT, fetch_outputs

    settings = load_settings()
    fetch_outputs(settings, [REPORT], _write_line)
    path = settings.evaluation_dir / "metrics.parquet"
    if not path.exists():
        raise BundleError(f"{path} does not exist: nothing has been evaluated. Run: crossrec run")
    typer.echo(headline_table(pl.read_parquet(path)))


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def exit_code(arguments: Sequence[str] | None = None) -> int:
    """Run one command, those of the process by default, and say how it ended.

    Errors meant for people are printed without a traceback.
    """
    for warning in unknown_variables(os.environ):
        sys.stderr.write(f"crossrec: warning: {warning}\n")
    try:
        app(arguments, standalone_mode=True)
    except CrossrecError as error:
        sys.stderr.write(f"crossrec: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"crossrec: {error}. Check the disk and the permissions, and run again.\n")
        return 1
    except SystemExit as leaving:
        # This is also how typer passes Ctrl-C on.
        if leaving.code == INTERRUPTED and not isinstance(leaving, ServerInterruptedError):
            sys.stderr.write("\nInterrupted. Finished assets are kept; run again to go on.\n")
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


def main() -> None:
    """Run the command line, and leave the process with its exit code."""
    # Dagster says of its own newer parts that they may change; the versions used here are pinned.
    warnings.filterwarnings("ignore", message=".*is currently in (beta|preview)")
    code = exit_code()
    sys.stdout.flush()
    sys.stderr.flush()
    # DuckDB's binding reports its own objects as leaked when the interpreter is taken down in
    # the usual way: pages of noise below the figures. Everything of ours is closed by now.
    os._exit(code)


if __name__ == "__main__":
    main()
