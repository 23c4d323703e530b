import pytest

from deploy.checks.scaling import problems


@pytest.fixture
def scaled(built):
    return built("keda", "monitoring")


@pytest.fixture
def scaler(scaled, find):
    """Returns how `scaled` scales a Deployment, to spoil."""
    return lambda name: find(scaled, "ScaledObject", name)["spec"]


def test_every_stage_and_the_orchestrator_are_scaled_by_demand(scaled):
    assert list(problems(scaled)) == []
    names = {m["metadata"]["name"] for m in scaled if m["kind"] == "ScaledObject"}
    assert names == {"segmentation", "depth", "mesher", "orchestrator"}


def test_replicas_that_each_apply_would_set_back_are_told(scaled, find):
    find(scaled, "Deployment", "mesher")["spec"]["replicas"] = 2
    (problem,) = problems(scaled)
    assert "mesher states its replicas" in problem


def test_only_depth_may_sleep(scaled, scaler):
    scaler("mesher")["minReplicaCount"] = 0
    (problem,) = problems(scaled)
    assert "mesher: may go to zero" in problem


def test_a_scaler_without_a_word_for_a_lost_prometheus_is_told(scaled, scaler):
    del scaler("mesher")["fallback"]
    scaler("depth")["triggers"][0]["metadata"]["ignoreNullValues"] = "true"
    assert len(list(problems(scaled))) == 2


def test_a_metric_that_no_service_has_is_told(scaled, scaler):
    metadata = scaler("mesher")["triggers"][0]["metadata"]
    metadata["query"] = metadata["query"].replace("unflat_stage_demand", "unflat_stage_wanted")
    (problem,) = problems(scaled)
    assert "asks for unflat_stage_wanted, which no service has" in problem


def test_more_calls_a_pod_than_it_takes_are_told(scaled, scaler):
    scaler("segmentation")["triggers"][0]["metadata"]["threshold"] = "40"
    (problem,) = problems(scaled)
    assert "wants 40 calls a pod, which takes no more than 17" in problem


def test_several_gateways_without_a_common_store_are_told(base, find):
    find(base, "Deployment", "gateway")["spec"]["replicas"] = 2
    (problem,) = problems(base)
    assert "without a common store" in problem


def test_a_monitor_of_a_port_that_pods_have_not_is_told(scaled, find):
    find(scaled, "PodMonitor", "unflat")["spec"]["podMetricsEndpoints"][0]["port"] = "prometheus"
    assert len(list(problems(scaled))) == 5
