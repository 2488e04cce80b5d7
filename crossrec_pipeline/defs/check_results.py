"""What a suite found, as Dagster shows it."""

import dagster as dg

from crossrec_pipeline.quality.validate import SuiteResult


def check_result(result: SuiteResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Turn the result of a suite into that of the check of the same name."""
    broken = [row.type for row in result.failures]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=result.name,
        passed=result.success and not broken,
        # Expectations of severity "warning" are shown, and block nothing.
        severity=dg.AssetCheckSeverity.WARN if result.success else dg.AssetCheckSeverity.ERROR,
        description=f"{len(broken)} of {len(result.rows)} expectations failed" if broken else None,
        metadata={
            "expectations": len(result.rows),
            "failed": len(broken),
            "results": dg.MetadataValue.md(result.markdown()),
        },
    )
