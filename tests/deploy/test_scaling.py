import copy

import pytest
import yaml

from deploy.checks.scaling import problems
from deploy.k8s.check import K8S


@pytest.fixture
def scaled(base):
    """The base as the component `keda` scales it, to look at or to spoil."""
    for manifest in base:
        if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] != "gateway":
            del manifest["spec"]["replicas"]
    files = sorted((K8S / "components/keda").glob("*.yaml"))
    read = [yaml.safe_load(f.read_text(encoding="utf-8")) for f in files if f.name != "kustomization.yaml"]
    return [*base, *copy.deepcopy(read)]


def scaler(manifests, name):
    return next(m for m in manifests if m["kind"] == "ScaledObject" and m["metadata"]["name"] == name)["spec"]


def test_every_stage_and_the_orchestrator_are_scaled_by_demand(scaled, root):
    assert list(problems(scaled, root)) == []
    names = {m["metadata"]["name"] for m in scaled if m["kind"] == "ScaledObject"}
    assert names == {"segmentation", "depth", "mesher", "orchestrator"}


def test_replicas_that_each_apply_would_set_back_are_told(scaled, root):
    next(m for m in scaled if m["metadata"]["name"] == "mesher")["spec"]["replicas"] = 2
    (problem,) = problems(scaled, root)
    assert "mesher states its replicas" in problem


def test_two_that_scale_the_same_are_told(scaled, root):
    hpa = yaml.safe_load((K8S / "components/hpa/mesher.yaml").read_text(encoding="utf-8"))
    (problem,) = problems([*scaled, hpa], root)
    assert problem == "HorizontalPodAutoscaler mesher scales mesher, which another scales already"


def test_only_depth_may_sleep(scaled, root):
    scaler(scaled, "mesher")["minReplicaCount"] = 0
    (problem,) = problems(scaled, root)
    assert "mesher: may go to zero" in problem


def test_a_scaler_without_a_word_for_a_lost_prometheus_is_told(scaled, root):
    del scaler(scaled, "mesher")["fallback"]
    scaler(scaled, "depth")["triggers"][0]["metadata"]["ignoreNullValues"] = "true"
    assert len(list(problems(scaled, root))) == 2


def test_a_metric_that_no_service_has_is_told(scaled, root):
    metadata = scaler(scaled, "mesher")["triggers"][0]["metadata"]
    metadata["query"] = metadata["query"].replace("unflat_stage_demand", "unflat_stage_wishes")
    (problem,) = problems(scaled, root)
    assert "asks for unflat_stage_wishes, which no service has" in problem


def test_more_calls_a_pod_than_it_takes_are_told(scaled, root):
    scaler(scaled, "segmentation")["triggers"][0]["metadata"]["threshold"] = "40"
    (problem,) = problems(scaled, root)
    assert "wants 40 calls a pod, which takes no more than 17" in problem


def test_several_gateways_without_a_common_store_are_told(base, root):
    next(m for m in base if m["metadata"]["name"] == "gateway" and m["kind"] == "Deployment")["spec"]["replicas"] = 2
    (problem,) = problems(base, root)
    assert "without a common store" in problem


def test_a_monitor_of_a_port_that_pods_have_not_is_told(base, root):
    monitor = yaml.safe_load((K8S / "components/monitoring/pod-monitor.yaml").read_text(encoding="utf-8"))
    for manifest in base:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] = "unflat"
    assert list(problems([*base, monitor], root)) == []
    monitor["spec"]["podMetricsEndpoints"][0]["port"] = "prometheus"
    assert len(list(problems([*base, monitor], root))) == 5
