"""The values in Dagster's own chart, where it and ``helm`` are there.

``CROSSREC_DAGSTER_CHART`` names the chart's folder: ``helm pull dagster/dagster --untar``.
"""

import json
import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from crossrec_pipeline.settings import project_root
from crossrec_pipeline_tests.helm_files import FOLDER, code_location, read_documents, read_values

CHART = os.environ.get("CROSSREC_DAGSTER_CHART", "")
pytestmark = pytest.mark.skipif(
    not CHART or shutil.which("helm") is None,
    reason="needs helm, and CROSSREC_DAGSTER_CHART to name the unpacked chart of Dagster",
)
HOME: dict[str, Any] = yaml.safe_load(
    (project_root() / "dagster_home" / "dagster.yaml").read_text()
)


def without_remote_parts(schema: Any) -> Any:
    """Leave out what a schema has from the network: Kubernetes' own types."""
    if isinstance(schema, dict):
        kept = (item for item in schema.items() if item[0] != "$ref" or item[1].startswith("#"))
        return {key: without_remote_parts(below) for key, below in kept}
    if isinstance(schema, list):
        return [without_remote_parts(below) for below in schema]
    return schema


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("chart") / "dagster"
    shutil.copytree(CHART, copy)
    for path in copy.rglob("values.schema.json"):
        path.write_text(json.dumps(without_remote_parts(json.loads(path.read_text()))))
    return copy


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def objects(chart: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is installed, by kind and name."""
    values = str(FOLDER / "values.yaml")
    done = helm("template", "dagster", str(chart), "--namespace", "crossrec", "--values", values)
    assert done.returncode == 0, done.stderr
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


@pytest.fixture(scope="module")
def instance(
    objects: dict[tuple[str, str], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> InstanceRef:
    """Return Dagster's instance as its configuration on the cluster has it."""
    home = tmp_path_factory.mktemp("home")
    text = objects["ConfigMap", "dagster-instance"]["data"]["dagster.yaml"]
    (home / "dagster.yaml").write_text(text)
    return InstanceRef.from_dir(str(home))


def test_the_chart_is_of_the_version_of_dagster(chart: Path) -> None:
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert about["version"] == version("dagster")


def test_helm_finds_nothing_to_say(chart: Path) -> None:
    done = helm("lint", "--strict", str(chart), "--values", str(FOLDER / "values.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_value_of_the_wrong_type_is_refused(chart: Path) -> None:
    values = str(FOLDER / "values.yaml")
    wrong = ("--set", "dagsterDaemon.runRetries.maxRetries=often")
    done = helm("lint", "--strict", str(chart), "--values", values, *wrong)
    assert done.returncode != 0
    assert "maxRetries" in done.stdout


def test_replicas_of_the_code_location_have_one_server_id(
    objects: dict[tuple[str, str], dict[str, Any]],
) -> None:
    spec = objects["Deployment", "dagster-dagster-user-deployments-crossrec"]["spec"]
    assert spec["replicas"] == code_location()["replicaCount"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"][:3] == ["dagster", "api", "grpc"]
    assert "--fixed-server-id" in container["args"]
    assert container["args"][-2:] == code_location()["dagsterApiGrpcArgs"]


def test_what_runs_and_service_read_is_made(
    objects: dict[tuple[str, str], dict[str, Any]],
) -> None:
    launcher = read_values()["runLauncher"]["config"]["k8sRunLauncher"]
    (settings,) = launcher["envConfigMaps"]
    assert objects["ConfigMap", settings["name"]]["data"] == code_location()["env"]
    # Secrets are made by others.
    assert [name for kind, name in objects if kind == "Secret"] == []


def test_there_is_a_web_server_for_reading_alone(
    objects: dict[tuple[str, str], dict[str, Any]],
) -> None:
    spec = objects["Deployment", "dagster-dagster-webserver-read-only"]["spec"]
    assert spec["replicas"] == read_values()["dagsterWebserver"]["replicaCount"]
    assert "--read-only" in json.dumps(spec["template"]["spec"]["containers"])


def test_dagster_takes_the_configuration_and_reads_the_projects_limits(
    instance: InstanceRef,
) -> None:
    settings: dict[str, Any] = dict(instance.settings)
    concurrency = settings["concurrency"]
    assert concurrency["pools"] == HOME["concurrency"]["pools"]
    allowed = concurrency["runs"]["max_concurrent_runs"]
    assert allowed == HOME["concurrency"]["runs"]["max_concurrent_runs"]
    assert settings["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert settings["run_monitoring"]["enabled"]
    assert settings["telemetry"] == HOME["telemetry"]


def test_dagster_writes_where_pods_may_write(instance: InstanceRef) -> None:
    mounted = {mount["mountPath"] for mount in code_location()["volumeMounts"]}
    kept = Path(instance.local_artifact_storage.base_dir)
    logs = read_values()["computeLogManager"]["config"]["s3ComputeLogManager"]["localDir"]
    for path in (kept, Path(logs)):
        assert mounted & {str(parent) for parent in path.parents} == {"/tmp"}


def pod_of_a_run(instance: InstanceRef, tags: dict[str, str]) -> dict[str, Any]:
    """Return the pod that the run launcher would ask for."""
    dagster_k8s = pytest.importorskip("dagster_k8s", reason="needs the extra `kubernetes`")
    from dagster._core.storage.dagster_run import DagsterRun
    from dagster_k8s.container_context import K8sContainerContext  # pyright: ignore[reportMissingImports]
    from dagster_k8s.job import construct_dagster_k8s_job  # pyright: ignore[reportMissingImports]
    from kubernetes import client, config  # pyright: ignore[reportMissingImports]

    assert instance.run_launcher_data is not None
    with pytest.MonkeyPatch.context() as patch:
        # Its credentials lie in a pod.
        patch.setattr(config, "load_incluster_config", lambda: None)
        launcher = instance.run_launcher_data.rehydrate(as_type=dagster_k8s.K8sRunLauncher)
    run = DagsterRun(job_name="job", tags=tags)
    context = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config("image", launcher),
        args=["dagster", "api", "execute_run"],
        job_name="job",
        pod_name="pod",
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    return client.ApiClient().sanitize_for_serialization(job)["spec"]["template"]["spec"]


def test_a_run_is_a_pod_with_settings_secrets_and_room_of_its_own(instance: InstanceRef) -> None:
    pod = pod_of_a_run(instance, {})
    launcher = read_values()["runLauncher"]["config"]["k8sRunLauncher"]
    (container,) = pod["containers"]
    assert container["envFrom"] == [
        *({"configMapRef": name} for name in launcher["envConfigMaps"]),
        *({"secretRef": name} for name in launcher["envSecrets"]),
    ]
    assert container["resources"] == launcher["resources"]
    assert container["volumeMounts"] == launcher["volumeMounts"]
    assert container["securityContext"] == launcher["securityContext"]
    assert pod["volumes"] == launcher["volumes"]
    assert pod["securityContext"] == code_location()["podSecurityContext"]


def test_tags_give_one_run_a_gpu_and_keep_the_rest(instance: InstanceRef) -> None:
    (tags,) = read_documents(FOLDER / "gpu-run-tags.json")
    usual = pod_of_a_run(instance, {})
    pod = pod_of_a_run(instance, {name: json.dumps(value) for name, value in tags.items()})
    (container,) = pod["containers"]
    asked = tags["dagster-k8s/config"]
    assert container["resources"] == asked["container_config"]["resources"]
    assert pod["tolerations"] == asked["pod_spec_config"]["tolerations"]
    kept = ("envFrom", "volumeMounts", "securityContext", "image")
    assert [container[name] for name in kept] == [usual["containers"][0][name] for name in kept]
