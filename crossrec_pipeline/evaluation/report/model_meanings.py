"""Names of models go in; what each goes by comes out, in a sentence."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.report.blocks import Table
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE

_MEANINGS = {
    CHANCE: "a random order of all items; exact expectation, not a draw",
    "popularity": "the items with the most events in train, the same for every session",
    "session_popularity": "how often an item stands in the session so far, then popularity",
    "markov": "what followed the last seen item in train, then popularity",
    "association_rules": "what stood in one session of train with the last seen item",
    "sequential_rules": "what came after the last seen item in train, the sooner the better",
    "item_knn": "items that stand in the same train sessions as those of the session so far",
    "ease": "a linear model that foretells each item from the others of a session",
    "sknn": "the items of the train sessions most like the session so far",
    "vsknn": "the same, where later items of the session so far weigh more",
    "vmis": "the same, with an index that looks at the newest train sessions of each item",
    "stan": "neighbour sessions weighed by place in the session, age and distance of the item",
    "vstan": "stan, with rare items and near neighbours weighing more",
    "hybrid": "a learnt mixture of several of the other models",
    "gru4rec": "a recurrent network that reads the session so far",
    ORACLE: "the exact probabilities of the law that the log was drawn from",
}


def model_meanings(models: Sequence[str]) -> Table:
    """Explain the models that are known, in the order given."""
    rows = [[model, _MEANINGS[model]] for model in models if model in _MEANINGS]
    return Table("What each model goes by", ["Model", "Ranks items by"], rows, 2)
