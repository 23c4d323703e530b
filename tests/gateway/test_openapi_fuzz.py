"""The description of the interface held against the interface: every operation, with what fits it and what does not.

Cases are made by schemathesis without chance (`derandomize`), and sent in process before a fake orchestrator.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from services.common.errors import StageUnavailable
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings

pytestmark = pytest.mark.slow

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 12


def documented() -> Any:
    """The schema of a gateway, without an orchestrator behind it."""

    class Nobody:
        def status(self, timeout_s: float = 5.0) -> Any:
            raise StageUnavailable("nobody is there")

    document = create_app(GatewaySettings(), Nobody()).openapi()  # type: ignore[arg-type]
    config = SchemathesisConfig.from_dict({"seed": 1})
    return schemathesis.openapi.from_dict(document, config=config)


schema = documented()


def sent(house: Any, case: Any) -> schemathesis.Response:
    """Send a case in process."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    found = house.http.request(
        prepared.method, prepared.url, headers=dict(prepared.headers), content=prepared.body, follow_redirects=False
    )
    headers = {name: found.headers.get_list(name) for name in found.headers}
    return schemathesis.Response(found.status_code, headers, found.content, prepared, 0.0, verify=False)


@pytest.fixture
def job_id(house, photo):
    """A job that is done."""
    job = house.http.post("/jobs/cutout", files={"file": photo}).json()
    house.http.get(f"/jobs/{job['id']}/events")
    return job["id"]


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case, house, job_id):
    if "job_id" in case.path_parameters and len(case.path_parameters["job_id"]) % 2:
        case.path_parameters["job_id"] = job_id
    case.validate_response(sent(house, case), checks=CHECKS)
