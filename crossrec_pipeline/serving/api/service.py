"""What every route of the service uses."""

from dataclasses import dataclass

from crossrec_pipeline.serving.api.batcher import Batcher
from crossrec_pipeline.serving.api.errors import ApiError
from crossrec_pipeline.serving.api.metrics import Metrics
from crossrec_pipeline.serving.champion import ChampionWatcher
from crossrec_pipeline.serving.served import Served
from crossrec_pipeline.settings import Settings


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    settings: Settings
    watcher: ChampionWatcher
    batcher: Batcher
    metrics: Metrics

    def served(self) -> Served:
        """Return the model that answers.

        Raises
        ------
        ApiError
            503 with the remedy, before there is one.
        """
        served = self.watcher.served
        if served is None:
            raise ApiError(503, "not_ready", self._remedy(), headers={"Retry-After": "5"})
        return served

    def _remedy(self) -> str:
        refusal = self.watcher.refusal
        if refusal is not None:
            return f"No model could be loaded yet. {refusal.name}: {refusal.reason}"
        return (
            "No model is loaded yet. If this lasts, no model was ever promoted: `crossrec run` "
            "trains and promotes one."
        )
