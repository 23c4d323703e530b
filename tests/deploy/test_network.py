from deploy.checks.network import allowed_edges, confined, needed_edges, problems

EDGES = {
    ("gateway", "orchestrator", 50050),
    ("orchestrator", "segmentation", 50051),
    ("orchestrator", "depth", 50052),
    ("orchestrator", "mesher", 50053),
}


def policy(policies, name):
    return next(p for p in policies if p["metadata"]["name"] == name)


def test_addresses_tell_who_talks_to_whom(base):
    assert needed_edges(base) == EDGES


def test_policies_allow_exactly_the_needed_edges(base, policies):
    assert list(problems([*base, *policies])) == []
    assert allowed_edges(policies, "egress") == EDGES


def test_without_policies_there_is_nothing_to_say(base):
    assert list(problems(base)) == []


def test_an_edge_that_one_end_denies_is_told(base, policies):
    policy(policies, "unflat-depth")["spec"]["ingress"][0]["ports"][0]["port"] = 50051
    told = list(problems([*base, *policies]))
    assert "orchestrator needs depth:50052, which the policies do not let through" in told


def test_an_edge_that_nobody_needs_is_told(base, policies):
    rule = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "depth"}}}], "ports": [{"port": 50052}]}
    policy(policies, "unflat-gateway")["spec"]["egress"].append(rule)
    assert list(problems([*base, *policies])) == ["the policies let gateway reach depth:50052, which it has no use for"]


def test_a_stage_open_to_anyone_is_told(base, policies):
    policy(policies, "unflat-mesher")["spec"]["ingress"].append({"ports": [{"port": 50053}]})
    assert list(problems([*base, *policies])) == ["the policies let anyone reach mesher:50053"]


def test_a_policy_confines_whom_it_chooses_without_a_default_too(base, policies):
    alone = [policy(policies, "unflat-gateway")]
    assert confined([*base, *alone], "egress") == {"gateway"}
    assert list(problems([*base, *alone])) == []
    del alone[0]["spec"]["egress"][1]
    assert list(problems([*base, *alone])) == [
        "gateway needs orchestrator:50050, which the policies do not let through"
    ]


def test_redis_is_an_edge_of_the_gateway(base, container):
    container("gateway")["env"].append({"name": "UNFLAT_STORE", "value": "redis://:$(REDIS_PASSWORD)@redis:6379/0"})
    assert needed_edges(base) - EDGES == {("gateway", "redis", 6379)}
