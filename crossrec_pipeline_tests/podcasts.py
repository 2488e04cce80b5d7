"""A fourth domain, declared the way a user of the package would."""

from crossrec_pipeline import parsers
from crossrec_pipeline.domains import DomainSpec, Reject, SourceColumn

PODCASTS = DomainSpec(
    name="podcasts",
    item_type="Podcast",
    natural_key=("show",),
    id_column="show",
    columns=(
        SourceColumn(
            "show", parsers.text, required=True, becomes="title", missing=Reject("missing_title")
        ),
        SourceColumn("hosts", parsers.comma_list, becomes="creators"),
        SourceColumn("topics", parsers.semicolon_list, becomes="genres"),
        SourceColumn("listeners", parsers.number, becomes="raw_popularity"),
        SourceColumn("first_aired", parsers.date, becomes="release_date"),
    ),
)
