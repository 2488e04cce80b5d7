"""Features of candidates in; their order by boosted trees that were trained on what came next."""

from collections.abc import Sequence

import lightgbm
import numpy as np

_OBJECTIVE = {
    "objective": "lambdarank",
    # Twenty are shown; pairs a little below still tell apart what may come up.
    "lambdarank_truncation_level": 30,
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "max_bin": 63,
}
_REPEATABLE = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1}


class Reranker:
    """Gradient-boosted trees under LambdaRank (Burges 2010; Ke et al. 2017).

    Parameters
    ----------
    text
        The trees, as LightGBM writes them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._trees = lightgbm.Booster(model_str=text)

    @classmethod
    def train(
        cls,
        table: np.ndarray,
        is_target: np.ndarray,
        n_of_query: np.ndarray,
        names: Sequence[str],
        n_trees: int,
        seed: int,
    ) -> "Reranker":
        """Learn which of each query's candidates came next.

        Parameters
        ----------
        table
            Features, float32 [n, F].
        is_target
            Whether the candidate came next, bool [n]; one in each query.
        n_of_query
            Candidates of each query, int [Q], none of them 0.
        names
            Of the columns.
        n_trees, seed
            Of the boosting.
        """
        data = lightgbm.Dataset(
            table,
            is_target.astype(np.int8),
            group=n_of_query,
            feature_name=list(names),
            free_raw_data=True,
        )
        trees = lightgbm.train({**_OBJECTIVE, **_REPEATABLE, "seed": seed}, data, n_trees)
        return cls(trees.model_to_string())

    @property
    def text(self) -> str:
        """The trees, as LightGBM writes them."""
        return self._text

    @property
    def names(self) -> list[str]:
        """Names of the features that there were in training."""
        return self._trees.feature_name()

    def scores(self, table: np.ndarray) -> np.ndarray:
        """Score candidates; only the order within a query means anything, float64 [n].

        Of a table with more features than there were in training the first ones count.
        """
        if len(table) == 0:
            return np.zeros(0)
        known = table[:, : self._trees.num_feature()]
        return np.asarray(self._trees.predict(known, num_threads=1))

    def importance(self) -> dict[str, float]:
        """Return each feature's share of what the trees gained, the greatest first."""
        gain = self._trees.feature_importance("gain")
        shares = gain / max(gain.sum(), 1e-9)
        named = zip(self.names, shares.tolist(), strict=True)
        return dict(sorted(named, key=lambda pair: -pair[1]))
