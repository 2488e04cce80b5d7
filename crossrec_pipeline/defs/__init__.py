"""Dagster assets, checks, sensors and schedules; nothing else imports this package."""
