"""Session-based, cross-domain recommendations as a Dagster pipeline."""
