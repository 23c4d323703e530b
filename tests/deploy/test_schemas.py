import copy

import pytest
import yaml

from deploy.checks.schemas import VERSIONS, problems
from deploy.k8s.check import K8S, SCHEMAS

pytest.importorskip("kubernetes_validate")

KEDA = yaml.safe_load((K8S / "components/keda/depth.yaml").read_text(encoding="utf-8"))


def manifest(**changed):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIP": "None"}}
    return service | changed


def test_a_manifest_that_every_version_knows_is_not_complained_of():
    assert problems(manifest(), VERSIONS, SCHEMAS) == []


def test_an_unknown_field_is_told_once_with_all_versions():
    (problem,) = problems(manifest(spec={"clusterIPP": "None"}), VERSIONS, SCHEMAS)
    assert "clusterIPP" in problem
    assert "1.30, 1.31, 1.32, 1.33, 1.34, 1.35, 1.36, 1.37" in problem


def test_a_field_that_old_versions_do_not_know_is_told_for_those():
    volume = {"name": "models", "image": {"reference": "unflat-weights:0.1.0"}}
    pod = {"containers": [{"name": "x", "image": "x"}], "volumes": [volume]}
    (problem,) = problems(manifest(kind="Pod", spec=pod), VERSIONS, SCHEMAS)
    assert problem.startswith("Pod x, Kubernetes 1.30: ")


def test_a_kind_without_a_schema_is_a_failure():
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    assert "no schema knows example.com/v1 Thing" in problems(unknown, VERSIONS, SCHEMAS)[0]


def test_our_schemas_know_what_our_manifests_use():
    assert problems(KEDA, VERSIONS, SCHEMAS) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("spec", "minReplicas"), 0, "minReplicas"),
        (("spec", "fallback", "behavior"), "keep", "keep"),
        (("spec", "pollingInterval"), "15", "'15'"),
        (("spec", "triggers", 0, "metadata", "threshold"), 2, "2 is not of type 'string'"),
        (("spec", "triggers", 0, "metadata", "serverAdress"), "http://x", "serverAdress"),
    ],
)
def test_a_slip_in_a_custom_resource_is_told(path, value, told):
    spoilt = copy.deepcopy(KEDA)
    place = spoilt
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert any(told in problem for problem in problems(spoilt, VERSIONS, SCHEMAS))
