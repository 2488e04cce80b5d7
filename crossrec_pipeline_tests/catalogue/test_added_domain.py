from pathlib import Path

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import load_domains

PODCASTS_CSV = """show,hosts,topics,listeners,first_aired
Night Talk,"Ana Ray, Bo Lee",science;history,"12,000",2015-03-01
Night Talk,Cy Dee,comedy,90,2019-06-01
Quiet Hour,,,,
,Nobody,none,1,2020-01-01
"""


def test_a_fourth_domain_is_one_declaration(tmp_path: Path):
    (tmp_path / "podcasts.csv").write_text(PODCASTS_CSV)
    (tmp_path / "movies.csv").write_text(
        "names,date_x,score,genre\nNight Talk,01/01/1990,70,Drama\n"
    )
    reader = SourceReader(sample_dir=tmp_path)
    specs = load_domains(["movies", "crossrec_pipeline_tests.podcasts:PODCASTS"])
    cleaned = [clean(reader.load(spec, "sample").frame, spec) for spec in specs]
    catalogue = unify(cleaned, empty_ledger())
    assert catalogue.items.select("item_id", "item_type", "popularity").rows() == [
        ("Movie_Night Talk", "Movie", 1.0),
        ("Podcast_Night Talk", "Podcast", 1.0),
        ("Podcast_Quiet Hour", "Podcast", 0.0),
    ]
    show, quiet = catalogue.items.filter(item_type="Podcast").rows(named=True)
    assert show["creators"] == ["Ana Ray", "Bo Lee", "Cy Dee"]
    assert show["genres"] == ["science", "history", "comedy"]
    assert show["raw_popularity"] == 12_000
    assert quiet["imputed"] == ["description", "genres", "creators", "popularity"]
    assert catalogue.rejected.select("source", "source_row", "reason").rows() == [
        ("podcasts:podcasts.csv", 2, "merged_into"),
        ("podcasts:podcasts.csv", 4, "missing_title"),
    ]
