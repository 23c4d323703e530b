"""The page before real services: a sample becomes a cutout and a mesh that can be turned."""

import pytest

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.free_ports import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture
def url(tmp_path):
    """The gateway of a whole system with embedded backends."""
    port = free_port()
    environment = {"UNFLAT_MODELS": str(tmp_path)}
    with LocalServices(LocalServicesOptions(http_port=port, environment=environment)):
        yield f"http://127.0.0.1:{port}"


def test_a_sample_becomes_a_mesh_and_a_brushed_mask_another(url, visit):
    page = visit(url)
    page.set_default_timeout(60_000)
    page.get_by_role("button", name="Mug").click()
    page.locator("#progress-now", has_text="Done in").wait_for()
    words = page.locator("#receipt-words").inner_text()
    assert "closed" in words
    assert "Made without depth" in words
    first = page.locator("#mesh-facts").inner_text()

    page.get_by_role("button", name="Edit mask").click()
    page.keyboard.press("x")
    page.keyboard.press(" ")
    page.get_by_role("button", name="Use this mask").click()
    page.locator("#receipt-words", has_text="The mask is the one you brought").wait_for()
    page.locator("#progress-now", has_text="Done in").wait_for()
    assert page.locator("#mesh-facts").inner_text() != first
