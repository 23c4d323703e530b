import pytest

from deploy.checks.settings_fields import field_of, settings_of

COMMON = "class ProcessSettings(BaseSettings):\n    host: str = 'a'\n"
OWN = "class DepthSettings(ProcessSettings):\n    port: int = Field(default=5, ge=0)\n    made: int = make()\n"


@pytest.fixture
def tree(tmp_path):
    for name, text in (("common/settings.py", COMMON), ("depth/server.py", OWN), ("mesher/server.py", "")):
        path = tmp_path / "services" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


def test_own_and_inherited_fields_are_found_with_their_defaults(tree):
    assert settings_of("depth", tree) == {"host": "a", "port": 5, "made": None}


def test_a_service_without_settings_is_named(tree):
    with pytest.raises(LookupError, match="services/mesher"):
        settings_of("mesher", tree)


@pytest.mark.parametrize("variable", ["UNFLAT_PORT", "UNFLAT_DEPTH_PORT"])
def test_common_and_own_prefix_both_set_a_field(variable):
    assert field_of(variable, "depth", {"port": 0}) == "port"


@pytest.mark.parametrize("variable", ["UNFLAT_PROT", "UNFLAT_MESHER_PORT", "PORT"])
def test_a_variable_that_sets_nothing_is_told(variable):
    assert field_of(variable, "depth", {"port": 0}) is None


@pytest.mark.parametrize("service", ["segmentation", "depth", "mesher", "orchestrator", "gateway"])
def test_fields_read_from_source_are_those_of_the_loaded_class(service, root):
    module = pytest.importorskip(f"services.{service}.server")
    kinds = [kind for name, kind in vars(module).items() if name == f"{service.capitalize()}Settings"]
    assert set(settings_of(service, root)) == set(kinds[0].model_fields)
