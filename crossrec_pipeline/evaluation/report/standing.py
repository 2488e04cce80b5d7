"""Figures go in; who leads, who is the main model's best rival, and the order of all come out."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.report.figures import RECALL, Figures
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE

POPULARITY = "popularity"


@dataclass(frozen=True)
class Standing:
    """The models by Recall@20 of the next item.

    Attributes
    ----------
    models
        All of them, the best first.
    main
        The model that the report is about.
    rival
        The best of the other trained models; None without any.
    n_predictions
        Predictions that all of them were evaluated on.
    """

    models: Sequence[str]
    main: str
    rival: str | None
    n_predictions: int

    @property
    def trained(self) -> list[str]:
        """The models that can be used: all but chance and the oracle, the best first."""
        return [model for model in self.models if model not in (CHANCE, ORACLE)]

    @property
    def pair(self) -> list[str]:
        """The main model and its rival, where there is one."""
        return [self.main] if self.rival is None else [self.main, self.rival]

    @property
    def shown(self) -> list[str]:
        """The main model, its rival, and what to read them by: for charts with little room."""
        given = (*self.pair, POPULARITY, CHANCE, ORACLE)
        return [model for model in dict.fromkeys(given) if model in self.models]


def standing(figures: Figures, main_model: str) -> Standing:
    """Order the models.

    Raises
    ------
    EvaluationError
        If the main model is not among the metrics, or the models were not evaluated on equally
        many predictions and so cannot be compared.
    """
    if main_model not in figures.models:
        raise EvaluationError(
            f"There are no metrics of the main model {main_model!r}, only of "
            f"{', '.join(figures.models) or 'none'}. Evaluate it, or name another main model."
        )
    counts = {model: figures.n(model) for model in figures.models}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{model} {n:,}" for model, n in counts.items())
        raise EvaluationError(
            f"The models were evaluated on different numbers of predictions ({listed}). Rank all "
            "of them on the same sessions."
        )
    models = sorted(figures.models, key=lambda model: -(figures.number(model, RECALL) or 0.0))
    rivals = (model for model in models if model not in (CHANCE, ORACLE, main_model))
    return Standing(models, main_model, next(rivals, None), counts[main_model])
