import pytest

from deploy.checks.network import allowed_edges, needed_edges, problems

EDGES = {
    ("gateway", "orchestrator", 50050),
    ("orchestrator", "segmentation", 50051),
    ("orchestrator", "depth", 50052),
    ("orchestrator", "mesher", 50053),
}


@pytest.fixture
def confined(built):
    return built("network-policies")


def test_addresses_tell_who_talks_to_whom(base):
    assert needed_edges(base) == EDGES


def test_policies_allow_exactly_the_needed_edges(confined):
    assert list(problems(confined)) == []
    assert allowed_edges(confined, "Egress") == EDGES


def test_without_policies_there_is_nothing_to_say(base):
    assert list(problems(base)) == []


def test_an_edge_that_one_end_denies_is_told(confined, find):
    find(confined, "NetworkPolicy", "unflat-depth")["spec"]["ingress"][0]["ports"][0]["port"] = 50051
    assert "orchestrator needs depth:50052, which the policies do not let through" in list(problems(confined))


def test_an_edge_that_nobody_needs_is_told(confined, find):
    rule = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "depth"}}}], "ports": [{"port": 50052}]}
    find(confined, "NetworkPolicy", "unflat-gateway")["spec"]["egress"].append(rule)
    assert list(problems(confined)) == ["the policies let gateway reach depth:50052, which it has no use for"]


def test_a_stage_open_to_anyone_is_told(confined, find):
    find(confined, "NetworkPolicy", "unflat-mesher")["spec"]["ingress"].append({"ports": [{"port": 50053}]})
    assert list(problems(confined)) == ["the policies let anywhere reach mesher:50053, which it has no use for"]


def test_a_policy_confines_whom_it_chooses_without_a_default_too(base, confined, find):
    alone = find(confined, "NetworkPolicy", "unflat-gateway")
    assert list(problems([*base, alone])) == []
    del alone["spec"]["egress"][1]
    assert list(problems([*base, alone])) == ["gateway needs orchestrator:50050, which the policies do not let through"]


def test_redis_is_an_edge_of_the_gateway(built):
    assert needed_edges(built("redis")) - EDGES == {("gateway", "redis", 6379)}
