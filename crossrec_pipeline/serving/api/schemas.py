"""What the service takes and gives, as JSON: the source of its OpenAPI description."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_TOP_K = 100
MOST_SESSION_ITEMS = 500
MOST_EXCLUDED = 1000
LONGEST_ID = 500
LONGEST_QUERY = 200
LONGEST_STATE = 20_000
MOST_FOUND = 50

ItemId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, examples=["Movie_Creed III"])]


def _whole_number(value: object) -> object:
    """Take 10.0 for 10, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True)


class RecommendationRequest(_Taken):
    """A session, and what is wanted of its continuation."""

    session: Annotated[
        list[ItemId],
        Field(max_length=MOST_SESSION_ITEMS, description="item ids, oldest first; may be empty"),
    ]
    top_k: Annotated[
        int,
        Field(ge=1, le=MOST_TOP_K, description="how many items"),
        BeforeValidator(_whole_number),
    ] = 10
    types: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]] | None,
        Field(min_length=1, max_length=50, description="item types to recommend; all by default"),
    ] = None
    exclude_seen: Annotated[bool, Field(description="leave out the items of the session")] = False
    exclude: Annotated[
        list[ItemId],
        Field(max_length=MOST_EXCLUDED, description="item ids that are not to be recommended"),
    ] = []
    explain: Annotated[bool, Field(description="say why each item is recommended")] = False
    state: Annotated[
        str | None,
        Field(
            max_length=LONGEST_STATE,
            description=(
                "token of the last answer to this session, when events were only added since: "
                "the model then reads just the new ones. One that does not fit changes nothing."
            ),
        ),
    ] = None
    return_state: Annotated[bool, Field(description="answer with such a token")] = False


class Because(_Given):
    """An item of the session that speaks for the recommendation."""

    item_id: str
    title: str
    share: Annotated[float, Field(ge=0, le=1, description="of all that speaks for it")]


class Shared(_Given):
    """What the recommended item has in common with one of the session."""

    kind: Literal["story", "edition", "creator", "genre"]
    value: Annotated[
        str,
        Field(
            description="creator or genre; of story and edition, what the item is of the other",
            examples=["the movie of the book"],
        ),
    ]
    item_id: str
    title: str


class Explanation(_Given):
    """Why an item is recommended."""

    sentence: str
    because: list[Because]
    shared: list[Shared]


class ItemSummary(_Given):
    """An item in short."""

    item_id: str
    item_type: str
    title: str
    creators: list[str]
    genres: list[str]


class RecommendedItem(ItemSummary):
    """A recommended item."""

    rank: Annotated[int, Field(ge=1)]
    score: Annotated[float, Field(description="the model's own; falls along one answer only")]
    explanation: Explanation | None = None


class ModelName(_Given):
    """Which model answered."""

    name: Annotated[str, Field(examples=["hybrid/20230601T120000000000Z-1a2b3c4d"])]
    data_version: str


class RecommendationAnswer(_Given):
    """Recommended items, best first."""

    model: ModelName
    basis: Annotated[
        Literal["session", "popularity"],
        Field(description="popularity where the model knows nothing of the session"),
    ]
    note: Annotated[str | None, Field(description="what is not as asked for, in words")] = None
    items: list[RecommendedItem]
    unknown_items: Annotated[
        list[str], Field(description="ids of the session that the model does not know")
    ] = []
    state: str | None = None


class FoundItem(ItemSummary):
    """An item that a search found."""

    recommendable: Annotated[bool, Field(description="the model knows it")]


class SearchAnswer(_Given):
    """Items that fit what was typed, best first."""

    items: list[FoundItem]


class SimilarItems(_Given):
    """The items of one type that are nearest by their words, nearest first."""

    item_type: str
    items: list[ItemSummary]


class ItemDetail(FoundItem):
    """All that is known of an item."""

    description: str | None = None
    release_date: Annotated[str | None, Field(description="YYYY-MM-DD")] = None
    popularity: Annotated[float | None, Field(description="percentile within its type, 0 to 1")]
    train_events: Annotated[
        int, Field(ge=0, description="events the model learnt it from; 0 of one that came later")
    ]
    similar: Annotated[
        list[SimilarItems], Field(description="what is near it by its words, by type")
    ] = []


class Figure(_Given):
    """A measured figure with its 95 % interval; bounds are null where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class ModelFigures(_Given):
    """How one model ranks on the test sessions."""

    model: str
    label: str
    served: Annotated[bool, Field(description="the one that answers")]
    recall: Figure
    mrr: Figure
    ndcg: Figure


class TypeFigures(_Given):
    """How the served model ranks targets of one type."""

    item_type: str
    n_predictions: int
    recall: Figure
    mrr: Figure
    chance_recall: float


class TransitionFigures(_Given):
    """How the served model ranks what follows one type and is of another."""

    source_type: str
    target_type: str
    n_predictions: int
    recall: Figure
    chance_recall: float


class Evaluation(_Given):
    """Figures on held-out sessions, after a cut in time, each item ranked among all."""

    cutoff: Annotated[int, Field(description="K of Recall@K, MRR@K, NDCG@K")]
    n_predictions: int
    n_items: int
    test_start: str | None
    events: Annotated[str, Field(description="where the log came from")]
    models: Annotated[list[ModelFigures], Field(description="best Recall first; chance included")]
    by_type: list[TypeFigures]
    transitions: list[TransitionFigures]
    notes: list[str]


class RefusedChampion(_Given):
    """A newer champion that could not be loaded."""

    name: str
    reason: str


class ModelAnswer(_Given):
    """The served model."""

    name: str
    kind: str
    version: str
    data_version: str
    promoted_at: str | None
    reason: Annotated[str | None, Field(description="why it was promoted")]
    types: list[str]
    n_items: Annotated[int, Field(description="that can be recommended")]
    added: Annotated[
        dict[str, int],
        Field(description="how many of them came after the training, by type; others have none"),
    ]
    kernel: Annotated[dict[str, str | float | int | bool | None], Field(description="what ranks")]
    card: Annotated[str, Field(description="the model card, Markdown")]
    evaluation: Annotated[Evaluation | None, Field(description="null where none was exported")]
    refused: Annotated[
        RefusedChampion | None, Field(description="a newer champion that is not served, and why")
    ]
    most_top_k: int = MOST_TOP_K
    most_session_items: int = MOST_SESSION_ITEMS


class Problem(_Given):
    """What was wrong with a request."""

    code: Annotated[str, Field(examples=["unknown_type"])]
    message: str
    field: Annotated[str | None, Field(examples=["types"])] = None


class ErrorAnswer(_Given):
    """The body of every answer that is an error."""

    error: Problem


class Health(_Given):
    """Whether the process lives, or is ready to answer."""

    status: Literal["ok", "ready", "not ready"]
    model: str | None = None
