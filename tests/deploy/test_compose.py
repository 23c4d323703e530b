"""The compose file, held against images, settings and protos; its health question is asked of a real server."""

import subprocess
import sys
from concurrent import futures

import grpc
import pytest
import yaml
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from deploy.checks.manifests import ROOT, grpc_services, image_variables
from services.common.environment import SERVICES, field_of

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"]


@pytest.fixture
def health_port():
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    servicer.set("unflat.v1.DepthService", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_built_from_its_target_with_its_libraries(name):
    assert COMPOSE[name]["build"] == {
        "context": "..",
        "dockerfile": "deploy/Dockerfile",
        "target": name,
        "args": {"LOCK": name},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_sets_something(name):
    assert [v for v in COMPOSE[name].get("environment", {}) if field_of(v, name) is None] == []


@pytest.mark.parametrize("name", ["gateway", "orchestrator"])
def test_addresses_name_services_and_the_ports_their_images_listen_on(name):
    for address in COMPOSE[name]["environment"].values():
        target, _, port = address.removeprefix("dns:///").partition(":")
        assert image_variables(target)["UNFLAT_PORT"] == port


@pytest.mark.parametrize("name", ["segmentation", "mesher", "orchestrator"])
def test_health_is_asked_by_a_name_of_the_protos(name):
    assert COMPOSE[name]["healthcheck"]["test"][-1] in grpc_services()


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "status"), [([], 0), (["unflat.v1.DepthService"], 1)])
def test_the_health_question_tells_serving_from_not_serving(health_port, asked, status):
    program = COMPOSE["depth"]["healthcheck"]["test"][-1].replace("8081", str(health_port))
    done = subprocess.run([sys.executable, "-c", program, *asked], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (status, b"")
