"""A chart goes in, the rows it draws come out."""

from typing import Any

from crossrec_pipeline.exploration.chart_forms import Chart


def drawn_rows(chart: Chart) -> list[dict[str, Any]]:
    spec: Any = chart.to_dict()
    first = spec if "data" in spec else spec["layer"][0]
    data = first["data"]
    return data["values"] if "values" in data else spec["datasets"][data["name"]]


def subtitle(chart: Chart) -> str:
    spec: Any = chart.to_dict()
    return " ".join(spec["title"]["subtitle"])
