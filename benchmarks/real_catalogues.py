"""What becomes of three real catalogues: rows in, items out, rejected by reason, cells filled.

    python benchmarks/real_catalogues.py --data DIR

DIR is the folder that ``CROSSREC_REAL_DATA`` names for the tests; its ``catalogues/`` holds one
file a built-in domain.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from crossrec_pipeline.catalogue.clean import Cleaned, clean
from crossrec_pipeline.catalogue.load import RawCatalogue, SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BUILT_IN

FILES = {"movies": "imdb_movies.csv", "music": "spotify_tracks.csv", "books": "goodreads_data.csv"}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--data", type=Path, required=True, help="folder of the real data")
    folder = options.parse_args().data / "catalogues"

    began = time.perf_counter()
    catalogues: list[Cleaned] = []
    for domain, file in FILES.items():
        raw = SourceReader(sample_dir=folder).load(BUILT_IN[domain], str(folder / file))
        cleaned = clean(raw.frame, BUILT_IN[domain])
        catalogues.append(cleaned)
        describe(f"{domain} ({file})", raw, cleaned)
    items = unify(catalogues, empty_ledger()).items
    print("all together")
    print(f"  items                {items.height:>7,}")
    print(f"  distinct ids         {items['item_id'].n_unique():>7,}")
    print(f"\nwall time {time.perf_counter() - began:.1f} s")


def describe(heading: str, raw: RawCatalogue, cleaned: Cleaned) -> None:
    n_items, n_rejected = cleaned.works.height, cleaned.rejected.height
    assert raw.n_rows == n_items + n_rejected
    reasons = dict(cleaned.rejected["reason"].value_counts(sort=True).iter_rows())
    print(heading)
    print(f"  rows in              {raw.n_rows:>7,}")
    print(f"  items out            {n_items:>7,}")
    print(f"  rejected             {n_rejected:>7,}  {counts(reasons)}")
    print(f"  cells filled                  {counts(cleaned.filled)}")
    print(f"  cells not parseable           {counts(cleaned.unparseable)}")
    print(f"  columns not delivered         {', '.join(raw.missing_columns) or 'none'}\n")


def counts(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in by_name.items()) or "none"


if __name__ == "__main__":
    main()
