"""In: items of the catalogue. Out: what a language model writes of their mood and themes."""

from crossrec_pipeline.content.enrichment.endpoint import shown_endpoint
from crossrec_pipeline.content.enrichment.prompt import PROMPT_VERSION, WORDS
from crossrec_pipeline.content.enrichment.results import (
    ENRICHMENT_DESCRIPTIONS,
    ENRICHMENTS,
    REFUSED,
    Coverage,
    Results,
    coverage,
    read_results,
    results_are_whole,
)
from crossrec_pipeline.content.enrichment.run import EnrichmentRun, enrich

__all__ = [
    "ENRICHMENTS",
    "ENRICHMENT_DESCRIPTIONS",
    "PROMPT_VERSION",
    "REFUSED",
    "WORDS",
    "Coverage",
    "EnrichmentRun",
    "Results",
    "coverage",
    "enrich",
    "read_results",
    "results_are_whole",
    "shown_endpoint",
]
