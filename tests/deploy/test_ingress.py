import pytest

from deploy.checks.ingress import problems


@pytest.fixture
def ways_in(built):
    return built("ingress", "gateway-api")


def test_ingress_and_route_lead_to_the_gateway_and_let_through_what_it_takes(ways_in):
    assert list(problems(ways_in)) == []


def test_a_backend_that_no_service_offers_is_told(ways_in, find):
    ingress, route = find(ways_in, "Ingress", "gateway"), find(ways_in, "HTTPRoute", "gateway")
    ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"]["name"] = "web"
    route["spec"]["rules"][0]["backendRefs"][0]["port"] = 80
    assert len(list(problems(ways_in))) == 2


def test_an_ingress_that_refuses_what_the_gateway_takes_is_told(ways_in, find):
    find(ways_in, "Ingress", "gateway")["metadata"]["annotations"] = {}
    told = list(problems(ways_in))
    assert any("refuses bodies above 1 MB" in problem for problem in told)
    assert any("waits 60 s" in problem for problem in told)


def test_a_route_that_gives_up_before_the_gateway_does_is_told(ways_in, find):
    find(ways_in, "HTTPRoute", "gateway")["spec"]["rules"][0]["timeouts"]["request"] = "30s"
    (problem,) = problems(ways_in)
    assert "gives up after 30 s" in problem
