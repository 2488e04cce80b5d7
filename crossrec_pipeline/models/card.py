"""A bundle's manifest and configuration in; its model card out, as Markdown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_NEIGHBOURS = "What the train sessions hold that are most like the session so far"
_WHAT = {
    "popularity": "Items by their share of the train events; the same list for every session.",
    "markov": "First-order Markov chain: which item followed the session's last one.",
    "session_popularity": "What the session has had most, then what is popular (S-POP).",
    "association_rules": "What train sessions hold together with the items of the session.",
    "sequential_rules": "What came after the items of the session in train, nearer ones more.",
    "item_knn": "Items found in the same train sessions as those of the session (cosine).",
    "ease": "Linear weights between items in closed form (Steck 2019, arXiv:1905.03375).",
    "sknn": f"{_NEIGHBOURS}, all items alike (Jannach and Ludewig 2017).",
    "vsknn": f"{_NEIGHBOURS}, later events and rare items more (Ludewig and Jannach 2018).",
    "vmis": f"{_NEIGHBOURS}, among the latest of each item (Kersbergen et al. 2022).",
    "stan": f"{_NEIGHBOURS}, by place, age and distance (Garg et al. 2019).",
    "vstan": f"{_NEIGHBOURS}, by STAN's and V-SKNN's weights (Ludewig et al. 2020).",
    "hybrid": (
        "Several models: their shares blended by weights for each type of item, the best ranked "
        "again by boosted trees (LambdaRank, Burges 2010) where validation says so."
    ),
    "gru4rec": (
        "GRU4Rec, a recurrent network over the items of a session (Hidasi et al. 2016, "
        "arXiv:1511.06939; Hidasi and Karatzoglou 2018, arXiv:1706.03847)."
    ),
}

_USE = """\
Ranking the items of its vocabulary as the next one of a session: what a person has just looked at,
in order, and nothing else about the person. Items may be of several kinds (movies, music, books).

Not meant for:

- items outside the vocabulary, which are unknown to it, and sessions without any known item;
- decisions about people: it has learnt which items follow one another, not why;
- another log than it was trained on, or the same one much later: train it again."""

_LIMITS = """\
- What was rarely seen in train is recommended rarely: the model repeats the log's habits, also
  those that the shop or its recommender made.
- Figures of training are measured on the validation part, which decided when to stop. Compare
  models by the test figures of `evaluation/report`, which come with intervals and slices.
- If the log was simulated, which is the default, the figures tell how much of the simulation was
  found and nothing about people.
- Scores order items; they are not probabilities that somebody will like one."""


def model_card(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Describe a model for those who use it or have to judge it.

    Parameters
    ----------
    manifest
        What `manifest.json` of the bundle says; figures that it lacks are left out.
    config
        What `config.json` says.
    """
    kind, training = manifest["kind"], manifest.get("training", {})
    history, summary = training.get("history", []), training.get("summary", {})
    data = {**manifest.get("inputs", {}), **_vocabulary(manifest)}
    parts = [
        f"# {kind} {manifest['version']}",
        _WHAT.get(kind, ""),
        _table(["", ""], _facts(manifest, history)),
        "## Intended use",
        _USE,
        "## Limits",
        _LIMITS,
        "## Made from",
        _table(["Data", "Version"], _pairs(data)),
        *_section("Seeds", ["Seed", "Value"], manifest.get("seeds", {})),
        *_section("Configuration", ["Option", "Value"], config),
        *_curve(history, summary),
        *_section("Training in figures", ["Figure", "Value"], summary),
        *_section("Evaluation", ["Figure", "Value"], manifest.get("metrics", {})),
        *_section("Software", ["Package", "Version"], manifest.get("packages", {})),
        *_files(manifest.get("files", {})),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    files = manifest.get("files", {}).values()
    rows = [
        ["Made", f"{datetime.fromisoformat(manifest['created_at']):%Y-%m-%d %H:%M:%S %Z}"],
        ["Content", manifest["data_version"]],
        ["Code", _text(manifest.get("code_version"))],
        ["Items", _text(manifest.get("vocabulary", {}).get("items"))],
        ["Parameters", _text(manifest.get("parameters"))],
        ["Size", f"{sum(file['bytes'] for file in files):,} bytes"],
    ]
    speeds = [row["events_per_second"] for row in history if row.get("events_per_second")]
    if speeds:
        # The harmonic mean: epochs are of equal size.
        rows.append(["Speed", f"{len(speeds) / sum(1 / v for v in speeds):,.0f} events/s"])
    return rows


def _vocabulary(manifest: Mapping[str, Any]) -> dict[str, str]:
    digest = manifest.get("vocabulary", {}).get("digest")
    return {"vocabulary": digest} if digest else {}


def _curve(history: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[str]:
    if not history:
        return []
    names = list(history[0])
    rows = [
        [_text(row.get(name)) for name in names]
        + ["best" if row.get("epoch") == summary.get("best_epoch") else ""]
        for row in history
    ]
    return ["## Training by epoch", _table([*(name.replace("_", " ") for name in names), ""], rows)]


def _files(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [[name, f"{file['bytes']:,}", f"`{file['sha256']}`"] for name, file in files.items()]
    return ["## Files", _table(["File", "Bytes", "SHA-256"], rows)] if rows else []


def _section(title: str, columns: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    return [f"## {title}", _table(columns, _pairs(values))] if values else []


def _pairs(values: Mapping[str, Any]) -> list[list[str]]:
    return [[_cell(name), _text(value)] for name, value in values.items()]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _text(value: Any) -> str:
    """Write a value for a cell: figures short, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return _cell(str(value))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
