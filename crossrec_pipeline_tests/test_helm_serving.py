"""The manifest of the service says what is true of it."""

from typing import Any

import typer.main

from crossrec_pipeline import cli
from crossrec_pipeline.serving.api.app import create_app
from crossrec_pipeline.settings import load_settings, project_root
from crossrec_pipeline_tests.helm_files import code_location, read_manifest, read_values

MANIFEST = read_manifest()
POD: dict[str, Any] = MANIFEST["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
PROBES = {name: CONTAINER[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}


def test_it_holds_what_a_service_with_replicas_needs() -> None:
    assert list(MANIFEST) == [
        "ServiceAccount",
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    ]
    assert {document["metadata"]["name"] for document in MANIFEST.values()} == {"crossrec-serving"}


def test_its_command_exists_with_these_options() -> None:
    program, command, *options = CONTAINER["args"]
    assert program == "crossrec"
    group = typer.main.get_group(cli.app)
    with group.commands[command].make_context(command, list(options)) as context:
        assert context.params == {"host": "0.0.0.0", "port": 8000, "workers": None}


def test_ports_lead_to_the_command() -> None:
    (port,) = CONTAINER["ports"]
    assert str(port["containerPort"]) == CONTAINER["args"][-1]
    (published,) = MANIFEST["Service"]["spec"]["ports"]
    assert published["targetPort"] == port["name"]
    assert {probe["httpGet"]["port"] for probe in PROBES.values()} == {port["name"]}


def test_probes_ask_routes_of_the_service() -> None:
    paths = {name: probe["httpGet"]["path"] for name, probe in PROBES.items()}
    # Without a model it is alive and not ready: it would be restarted for ever otherwise.
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    routes = {getattr(route, "path", "") for route in create_app(load_settings()).routes}
    assert set(paths.values()) <= routes


def test_it_is_no_root_and_writes_to_its_volumes_alone() -> None:
    pod, container = POD["securityContext"], CONTAINER["securityContext"]
    assert pod == code_location()["podSecurityContext"]
    assert pod["runAsNonRoot"] is True
    dockerfile = (project_root() / "Dockerfile").read_text()
    assert f"USER {pod['runAsUser']}:{pod['runAsGroup']}\n" in dockerfile
    assert container == code_location()["securityContext"]
    assert container["readOnlyRootFilesystem"] is True
    assert CONTAINER["volumeMounts"] == code_location()["volumeMounts"]
    assert [volume["name"] for volume in POD["volumes"]] == ["data", "cache", "tmp"]
    assert POD["automountServiceAccountToken"] is False
    assert POD["serviceAccountName"] == MANIFEST["ServiceAccount"]["metadata"]["name"]


def test_image_settings_and_secrets_are_those_of_the_pipeline() -> None:
    image = code_location()["image"]
    assert CONTAINER["image"] == f"{image['repository']}:{image['tag']}"
    assert "env" not in CONTAINER
    launcher = read_values()["runLauncher"]["config"]["k8sRunLauncher"]
    assert CONTAINER["envFrom"] == [
        *({"configMapRef": name} for name in launcher["envConfigMaps"]),
        *({"secretRef": name} for name in launcher["envSecrets"]),
        {"secretRef": {"name": "crossrec-serving", "optional": True}},
    ]


def test_selectors_find_its_pods() -> None:
    labels = MANIFEST["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFEST["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFEST["Service"]["spec"]["selector"] == labels
    assert MANIFEST["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = POD["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    target = MANIFEST["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == MANIFEST["Deployment"]["metadata"]["name"]


def test_one_may_go_while_another_answers() -> None:
    scaling = MANIFEST["HorizontalPodAutoscaler"]["spec"]
    allowed = MANIFEST["PodDisruptionBudget"]["spec"]["minAvailable"]
    assert allowed < scaling["minReplicas"] <= scaling["maxReplicas"]
    # The autoscaler's number would be reset at each apply.
    assert "replicas" not in MANIFEST["Deployment"]["spec"]
    assert MANIFEST["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_requests_under_way_are_answered_before_it_is_killed() -> None:
    program, pause = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    drain = load_settings(serving={}).serving.drain_seconds
    assert POD["terminationGracePeriodSeconds"] > int(pause) + drain
