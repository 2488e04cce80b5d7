import polars as pl

from crossrec_pipeline.catalogue.links.both_ways import both_ways
from crossrec_pipeline.catalogue.schema import ITEM_LINKS


def test_each_link_is_there_from_both_ends_the_best_first():
    links = pl.DataFrame(
        [
            ("Book_Emma", "Movie_Emma.", "story", 0.7, "a"),
            ("Book_Emma", "Movie_Emma", "story", 0.9, "b"),
        ],
        schema=ITEM_LINKS,
        orient="row",
    )
    assert both_ways(links).rows() == [
        ("Book_Emma", "Movie_Emma", "story", 0.9, "b"),
        ("Book_Emma", "Movie_Emma.", "story", 0.7, "a"),
        ("Movie_Emma", "Book_Emma", "story", 0.9, "b"),
        ("Movie_Emma.", "Book_Emma", "story", 0.7, "a"),
    ]


def test_no_links():
    assert both_ways(pl.DataFrame(schema=ITEM_LINKS)).schema == ITEM_LINKS
