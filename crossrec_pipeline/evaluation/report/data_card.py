"""The context goes in; what the data held, in which version, and how to get it again come out."""

from crossrec_pipeline.evaluation.report.blocks import Command, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.context import ReportContext


def data_section(context: ReportContext) -> Section:
    """Count parts and items, and name the versions of all inputs."""
    parts = [
        [
            part.part,
            *(
                f"{count:,}"
                for count in (part.n_sessions, part.n_events, part.n_items, part.n_cold_events)
            ),
        ]
        for part in context.parts
    ]
    n_items = [[type_, f"{n:,}"] for type_, n in sorted(context.n_items_by_type.items())]
    versions = [[name, version] for name, version in context.data_versions.items()]
    return Section(
        "data",
        "Data",
        [
            Paragraph(
                "Cold events are of items that train holds too seldom or not at all: no model here "
                "can name them, and they are left out of the sessions. What is reported is about "
                "the other events only."
            ),
            Table("Parts", ["Part", "Sessions", "Events", "Items", "Cold events"], parts),
            Table("Ranked items", ["Type", "Items"], n_items),
            Table("Versions of the inputs", ["Input", "Content version"], versions, 2),
        ],
    )


def reproduce_section(context: ReportContext) -> Section:
    """Name the command."""
    return Section("reproduce", "Reproduce", [Command(context.command)])
