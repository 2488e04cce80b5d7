"""The commands ``crossrec models list``, ``show``, ``promote`` and ``rollback``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from crossrec_pipeline.errors import BundleError, SettingsError
from crossrec_pipeline.models.promotions import read_champion
from crossrec_pipeline.models.registry import (
    KINDS,
    Bundle,
    bundle_card,
    find_bundle,
    list_bundles,
    open_bundle,
    promote,
    rollback,
    verify_bundle,
)
from crossrec_pipeline.models.verdict import (
    VERDICT_COLUMNS,
    Verdict,
    read_verdict,
    verdict_rows,
)
from crossrec_pipeline.outputs import ALL_BUNDLES, CHAMPION, fetch_outputs, stored_outputs
from crossrec_pipeline.settings import load_settings

_COLUMNS = ("", "model", "made", "size", "Recall@20", "verdict")
_Reason = Annotated[str, typer.Option(help="why, in words; kept in the history of promotions")]

models_app = typer.Typer(no_args_is_help=True, help="Trained models, and which of them is served.")


@models_app.command("list")
def list_models() -> None:
    """List all bundles, newest first of each kind; the champion is marked with *."""
    models_dir = _with_stored_models()
    served = read_champion(models_dir)
    rows = []
    for kind in KINDS:
        for path in reversed(list_bundles(models_dir, kind)):
            try:
                bundle, verdict = open_bundle(path), read_verdict(path)
            except BundleError as error:
                rows.append(("", f"{kind}/{path.name}", "", "", "", f"damaged: {error}"))
                continue
            mark = "*" if served is not None and served.name == bundle.name else ""
            rows.append((mark, *_row(bundle, verdict)))
    if not rows:
        raise BundleError(f"There are no models in {models_dir} yet. Run: crossrec run")
    _print_table(_COLUMNS, rows)


@models_app.command()
def show(
    name: Annotated[str, typer.Argument(help="KIND/VERSION, or champion")] = "champion",
) -> None:
    """Show a model's card, and what the gate found of it."""
    bundle = find_bundle(_with_stored_models(), name)
    typer.echo(bundle_card(bundle))
    verdict = read_verdict(bundle.path)
    if verdict is None:
        typer.echo("The gate has not judged this model.")
    else:
        typer.echo(f"{bundle.name} {verdict.reason}\n")
        _print_table(VERDICT_COLUMNS, verdict_rows(verdict.conditions))


@models_app.command("promote")
def promote_model(
    name: Annotated[str, typer.Argument(help="KIND/VERSION, as crossrec models list shows it")],
    reason: _Reason,
) -> None:
    """Serve a model, whatever the gate found of it."""
    settings = load_settings()
    _refuse_empty(reason)
    with stored_outputs(settings, ALL_BUNDLES, [CHAMPION], _write_line):
        bundle = verify_bundle(find_bundle(settings.models_dir, name).path)
        verdict = read_verdict(bundle.path)
        if verdict is not None and not verdict.promoted:
            _write_line(f"crossrec: warning: {bundle.name} was {verdict.reason}")
        champion = promote(settings.models_dir, bundle, reason=reason, by="manual")
    typer.echo(f"{champion.name} is served; before it: {champion.previous or 'none'}.")


@models_app.command("rollback")
def roll_back(reason: _Reason) -> None:
    """Serve the model again that was served before the champion."""
    _refuse_empty(reason)
    settings = load_settings()
    with stored_outputs(settings, ALL_BUNDLES, [CHAMPION], _write_line):
        champion = rollback(settings.models_dir, reason=reason)
    typer.echo(f"{champion.name} is served again; before it: {champion.previous}.")
    typer.echo(f"{champion.previous} is not promoted again but by hand.")


def _with_stored_models() -> Path:
    """Bring the models that a store has, if there is one; return where they lie."""
    settings = load_settings()
    fetch_outputs(settings, [*ALL_BUNDLES, CHAMPION], _write_line)
    return settings.models_dir


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _refuse_empty(reason: str) -> None:
    if not reason.strip():
        raise SettingsError(
            "--reason is empty; say in words why, for those who read the history of promotions."
        )


def _row(bundle: Bundle, verdict: Verdict | None) -> tuple[str, ...]:
    recall = verdict.recall_at_20 if verdict else bundle.manifest["metrics"].get("recall_at_20")
    return (
        bundle.name,
        bundle.manifest["created_at"][:16].replace("T", " "),
        f"{bundle.size_bytes / 1_000_000:.1f} MB",
        "–" if recall is None else f"{recall:.3f}",
        "not judged" if verdict is None else verdict.reason,
    )


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = [columns, *rows]
    # The last column is of sentences, and so not padded.
    widths = [max(len(row[n]) for row in table) for n in range(len(columns) - 1)]
    for row in table:
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=True)]
        typer.echo("  ".join([*cells, row[-1]]).rstrip())
