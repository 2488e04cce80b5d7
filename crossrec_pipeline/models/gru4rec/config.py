"""Options in, a checked GRU4Rec configuration out; importing this module does not import torch."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.settings import ContentPart

EventInput = Literal["event_type", "gap"]


class GRU4RecConfig(BaseModel):
    """Everything that decides what a GRU4Rec learns.

    The names follow Hidasi et al. (2016), arXiv:1511.06939, and Hidasi and Karatzoglou (2018),
    arXiv:1706.03847, where they have one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: Literal["constrained", "separate", "none"] = "constrained"
    """`constrained`: items have one vector, used as input and as output weights (2018).
    `separate`: input vectors of `embedding_dim` and output weights of `hidden_size`.
    `none`: the input is one-hot, so that the GRU's input matrix is the table of items (2016)."""
    embedding_dim: Annotated[int, Field(ge=1)] | None = None
    """Width of the input vectors when `separate`; a `constrained` one has `hidden_size`."""
    hidden_size: Annotated[int, Field(ge=1)] = 192
    """Width of the GRU's state."""
    n_layers: Annotated[int, Field(ge=1)] = 1
    """GRU layers, one above the other; the 2016 paper found one to be enough."""
    skip_connection: bool = True
    """Add a linear map of the input vector to the state that scores items, so that the GRU is
    free to remember more than the last item. Our addition: set it to False for a plain GRU."""
    init_range: Annotated[float, Field(gt=0)] | None = None
    """Matrices start uniform in ±`init_range`; None takes sqrt(6 / (rows + columns)) of each
    matrix. Biases and the skip connection start at zero."""
    init_matrices: Literal["stacked", "by-gate"] = "stacked"
    """What one matrix is in the GRU: its three gates `stacked`, or each gate's own, which makes
    the range wider (the authors' code)."""
    init_distribution: Literal["uniform", "normal"] = "uniform"
    """`normal` takes the range as standard deviation."""

    loss: Literal["cross-entropy", "bpr-max"] = "cross-entropy"
    """Softmax cross-entropy, or BPR-max (2018, section 3.2): pairwise, the negatives weighted by
    the softmax of their scores."""
    bpr_regularisation: Annotated[float, Field(ge=0)] = 1.0
    """λ of BPR-max: weight of the mean square of the negatives' scores."""
    elu_alpha: Annotated[float, Field(ge=0)] = 0.5
    """BPR-max takes elu(score, `elu_alpha`) for a score; 0 takes the score itself. Ranks are
    those of the scores either way."""

    n_negatives: Annotated[int, Field(ge=0)] | None = 2048
    """Sampled items a step that all its predictions are contrasted with, beside one another's
    targets. None, or a vocabulary not larger than the candidates of a full step (`n_negatives` +
    `batch_size` × `bptt_steps`), takes all items: it costs no more then."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Negatives are drawn in proportion to support ** alpha: 0 is uniform, 1 by popularity."""
    candidates: Literal["set", "draws"] = "set"
    """`set`: an item that is drawn twice, or drawn and a target, counts once, and a prediction's
    own target never against it. `draws`: each target and each draw counts, even one that equals
    the prediction's target (the authors' code); never replaced by all items but for
    `n_negatives` None. Either way further targets of the same session, which a step has if
    `bptt_steps` is more than 1, count against one another only if they came in otherwise too."""
    logq: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Strength of the correction of sampled cross-entropy for how likely a candidate is one; see
    `NegativeSampler.candidates`. The authors' code calls it the same."""

    dropout_embedding: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the input vectors' cells set to zero while training (not the share kept). One-hot
    input has none; see `dropout_hidden_in`."""
    dropout_hidden: Annotated[float, Field(ge=0, lt=1)] = 0.4
    """Share of the cells set to zero, while training, between the GRU and the output weights."""
    dropout_hidden_in: Literal["output", "state"] = "output"
    """`output`: only what scores items is dropped from. `state`: the state of each layer is, and
    the next event finds it so (the authors' code). With one-hot input the first layer's share is
    then `dropout_embedding`."""

    optimiser: Literal["adam", "adagrad"] = "adam"
    """With sampled negatives, rows of the item tables move only in steps that touch them."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a parameter's last move that Adagrad adds to the next one."""
    max_gradient_norm: Annotated[float, Field(gt=0)] | None = None
    """Longest gradient of all weights together; a longer one is shortened. None: no limit."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """`bfloat16` and `float16` mix precisions, on a CUDA device only."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Step size at the start."""
    learning_rate_decay: Literal["constant", "linear"] = "linear"
    """`linear` falls from `learning_rate` to zero over all `epochs`."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Session-parallel lanes."""
    bptt_steps: Annotated[int, Field(ge=1)] = 2
    """Events a lane reads in one step; gradients flow back through at most as many."""
    session_order: Literal["shuffled", "time"] = "shuffled"
    """`shuffled` anew each epoch: one that is as good as another, and none ends with the same few
    days. `time`: by their start, so that the last steps of each epoch learn the newest sessions
    (the authors' code); better where the next sessions are like the newest ones."""
    epochs: Annotated[int, Field(ge=1)] = 6
    """Passes over train, at most."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a better validation Recall@20 after which training stops."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides initial weights, session order, dropout and negatives."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a CUDA device where there is one."""

    content: tuple[ContentPart, ...] = ()
    """What of an item's content is added to its vector, by a map that is learnt: its `type`, the
    embedding of its `text`, its `genres`, its `creators`. Needs `constrained` vectors."""
    text_width: Annotated[int, Field(ge=1)] = 64
    """Principal axes of the text embeddings of train's items that are read."""
    id_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the items read in a step whose own vector and bias are left out, so that content
    alone must do: an item that comes later has nothing else (Volkovs et al. 2017, DropoutNet)."""
    adapter_rank: Annotated[int, Field(ge=0)] = 0
    """Rank of a map for each item type, added to output vectors (Houlsby et al. 2019): items are
    scored by the state as their type reads it. 0: none."""
    within_type_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of a second cross-entropy, over the candidates of the target's type alone."""
    alignment_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of a contrast that draws the vectors of two items of different types together where
    one follows the other in a session (InfoNCE, van den Oord et al. 2018), among the step's
    others."""
    alignment_temperature: Annotated[float, Field(gt=0)] = 0.1
    """What cosines are divided by in that contrast."""
    balance_negatives: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far negatives are drawn from all types alike: 0 by support, 1 each type as often."""
    balance_sessions: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far sessions are drawn so that targets of all types come alike: 0 takes each session
    once an epoch; with more, as many are drawn with replacement, those of rare types more often."""

    event_inputs: tuple[EventInput, ...] = ()
    """What else is read of an event, by a table that is learnt: its `event_type`, the `gap` since
    the event before it. Needs input vectors, and sessions that have been built with
    `CROSSREC_SESSIONS__EVENT_INPUTS`."""

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `event_inputs` out where nothing is read: bundles without are as they were."""
        fields = serialise(self)
        if not self.event_inputs:
            fields.pop("event_inputs", None)
        return fields

    @model_validator(mode="after")
    def _embedding_dim_fits(self) -> "GRU4RecConfig":
        if self.embedding == "none" and self.embedding_dim is not None:
            raise ValueError(
                f"embedding='none' has no input vectors, of embedding_dim {self.embedding_dim} or "
                "another; leave embedding_dim out, or take embedding='separate'"
            )
        if self.embedding == "separate" and self.embedding_dim is None:
            raise ValueError("embedding='separate' needs an embedding_dim; give one, such as 128")
        if self.embedding == "constrained" and self.embedding_dim not in (None, self.hidden_size):
            raise ValueError(
                f"embedding='constrained' has vectors of hidden_size {self.hidden_size}, not of "
                f"embedding_dim {self.embedding_dim}; leave embedding_dim out, or take "
                "embedding='separate'"
            )
        return self

    @model_validator(mode="after")
    def _options_go_together(self) -> "GRU4RecConfig":
        if self.momentum and self.optimiser != "adagrad":
            raise ValueError(
                f"momentum {self.momentum} is Adagrad's, and the optimiser is {self.optimiser}; "
                "leave momentum out, or take optimiser='adagrad'"
            )
        if self.precision != "float32" and self.device == "cpu":
            raise ValueError(
                f"precision='{self.precision}' needs a CUDA device, and device='cpu' was asked "
                "for; take precision='float32'"
            )
        return self

    @model_validator(mode="after")
    def _content_has_a_place(self) -> "GRU4RecConfig":
        needs_vectors = {
            "content": self.content,
            "adapter_rank": self.adapter_rank,
            "alignment_weight": self.alignment_weight,
        }
        for name, value in needs_vectors.items():
            if value and self.embedding != "constrained":
                raise ValueError(
                    f"{name}={value!r} needs one vector an item, and embedding is "
                    f"'{self.embedding}'; take embedding='constrained'"
                )
        if self.event_inputs and self.embedding == "none":
            raise ValueError(
                f"event_inputs={self.event_inputs!r} are added to input vectors, and "
                "embedding='none' has none; take embedding='constrained' or 'separate'"
            )
        if self.id_dropout and not self.content:
            raise ValueError(
                f"id_dropout {self.id_dropout} leaves nothing of an item without content; name "
                "what there is, such as content=['type', 'text'], or take id_dropout=0"
            )
        if self.within_type_weight and self.loss != "cross-entropy":
            raise ValueError(
                f"within_type_weight {self.within_type_weight} is of cross-entropy, and the loss "
                f"is '{self.loss}'; leave it out, or take loss='cross-entropy'"
            )
        return self

    @property
    def learns_maps(self) -> bool:
        """Whether vectors of items are made of more than what is kept for each."""
        return bool(self.content or self.adapter_rank or self.alignment_weight)

    @property
    def tied(self) -> bool:
        """Whether a trained network has one table for input and output."""
        return self.embedding == "constrained" and self.adapter_rank == 0

    def plain(self) -> "GRU4RecConfig":
        """Return the configuration without maps: of the tables that they are added to."""
        return self.model_copy(
            update={"content": (), "adapter_rank": 0, "alignment_weight": 0.0, "id_dropout": 0.0}
        )

    def folded(self) -> "GRU4RecConfig":
        """Return the configuration of the trained network, whose tables hold what maps add."""
        plain = self.plain()
        if self.tied or self.embedding != "constrained":
            return plain
        return plain.model_copy(update={"embedding": "separate", "embedding_dim": self.hidden_size})

    @property
    def input_width(self) -> int:
        """Width of an item's input vector: with one-hot input, of its inputs to three gates."""
        if self.embedding == "none":
            return 3 * self.hidden_size
        return self.embedding_dim or self.hidden_size


PRESETS: dict[str, dict[str, Any]] = {
    # Tuned on the validation part of simulated logs of 200,000 events over 1,100 items.
    "default": {},
    # A common plain set-up: untied layers, the full softmax, no regularisation.
    "classic": {
        "embedding": "separate",
        "embedding_dim": 128,
        "hidden_size": 256,
        "skip_connection": False,
        "n_negatives": None,
        "dropout_embedding": 0.0,
        "dropout_hidden": 0.0,
        "optimiser": "adam",
        "learning_rate": 1e-3,
        "learning_rate_decay": "constant",
        "batch_size": 64,
        "bptt_steps": 1,
        "epochs": 100,
        "patience": 5,
    },
    # As the authors' code trains, with its default values (cross-entropy).
    "paper": {
        "hidden_size": 100,
        "skip_connection": False,
        "init_matrices": "by-gate",
        "candidates": "draws",
        "logq": 0.0,
        "dropout_embedding": 0.0,
        "dropout_hidden": 0.0,
        "dropout_hidden_in": "state",
        "optimiser": "adagrad",
        "learning_rate": 0.05,
        "learning_rate_decay": "constant",
        "batch_size": 64,
        "bptt_steps": 1,
        "session_order": "time",
        "epochs": 10,
        "patience": 10,
    },
    # Tuned on the validation part of a shop's clicks (Diginetica); see docs/benchmarks.md.
    "clicks": {
        "hidden_size": 100,
        "skip_connection": False,
        "init_matrices": "by-gate",
        "dropout_embedding": 0.2,
        "dropout_hidden": 0.4,
        "optimiser": "adagrad",
        "learning_rate": 0.1,
        "learning_rate_decay": "constant",
        "batch_size": 128,
        "bptt_steps": 1,
        "session_order": "time",
        "epochs": 5,
    },
}
"""Differences from the fields' defaults, by name."""


def preset(name: str, **overrides: Any) -> GRU4RecConfig:
    """Return a named configuration, with some fields replaced.

    Parameters
    ----------
    name
        A key of `PRESETS`.
    **overrides
        Fields of `GRU4RecConfig`.

    Raises
    ------
    SettingsError
        If there is no such preset or field, or a value is impossible.
    """
    if name not in PRESETS:
        raise SettingsError(
            f"There is no GRU4Rec preset {name!r}. Choose one of {', '.join(PRESETS)}."
        )
    try:
        return GRU4RecConfig(**{**PRESETS[name], **overrides})
    except ValidationError as error:
        problems = "; ".join(
            # What is wrong with several fields together has no place, and says itself which.
            "".join(f"{field}={problem['input']!r}: " for field in problem["loc"][:1])
            + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors()
        )
        raise SettingsError(f"GRU4Rec preset {name!r} cannot take {problems}.") from None
