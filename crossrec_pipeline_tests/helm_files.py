"""The files of ``deploy/helm``, read strictly: a key that is there twice is an error."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from crossrec_pipeline.settings import project_root

FOLDER = project_root() / "deploy" / "helm"


class _StrictLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys, and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"there twice: {', '.join(twice)}", node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Read all documents of a file."""
    return list(yaml.load_all(path.read_text(), _StrictLoader))


def read_values() -> dict[str, Any]:
    """Read the values for Dagster's chart."""
    (values,) = read_documents(FOLDER / "values.yaml")
    return values


def read_manifest() -> dict[str, dict[str, Any]]:
    """Read the objects of the service, by their kind."""
    return {document["kind"]: document for document in read_documents(FOLDER / "serving.yaml")}


def code_location() -> dict[str, Any]:
    """Return the one code location of the values."""
    (deployment,) = read_values()["dagster-user-deployments"]["deployments"]
    return deployment
