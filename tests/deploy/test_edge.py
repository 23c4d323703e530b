import pytest
import yaml

from deploy.checks.edge import problems
from deploy.k8s.check import K8S


@pytest.fixture
def ways_in(base):
    files = [
        K8S / f"components/{name}.yaml" for name in ("ingress/ingress", "gateway-api/gateway", "gateway-api/http-route")
    ]
    return [*base, *(yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)]


def of(manifests, kind):
    return next(m for m in manifests if m["kind"] == kind)


def test_ingress_and_route_lead_to_the_gateway_and_let_through_what_it_takes(ways_in, root):
    assert list(problems(ways_in, root)) == []


def test_a_backend_that_no_service_offers_is_told(ways_in, root):
    of(ways_in, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"]["name"] = "web"
    of(ways_in, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0]["port"] = 80
    assert len(list(problems(ways_in, root))) == 2


def test_an_ingress_that_refuses_what_the_gateway_takes_is_told(ways_in, root):
    of(ways_in, "Ingress")["metadata"]["annotations"] = {}
    told = list(problems(ways_in, root))
    assert any("refuses bodies above 1m" in problem for problem in told)
    assert any("waits 60 s" in problem for problem in told)


def test_a_route_that_gives_up_before_the_gateway_does_is_told(ways_in, root):
    of(ways_in, "HTTPRoute")["spec"]["rules"][0]["timeouts"]["request"] = "30s"
    (problem,) = problems(ways_in, root)
    assert "gives up after 30 s" in problem


def test_a_route_on_a_listener_that_is_not_there_is_told(ways_in, root):
    of(ways_in, "HTTPRoute")["spec"]["parentRefs"][0]["sectionName"] = "http"
    (problem,) = problems(ways_in, root)
    assert "unflat/http, which is not there" in problem
