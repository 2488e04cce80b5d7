"""The days of an event log as sessions, made by DuckDB, polars or Spark from one expression."""
