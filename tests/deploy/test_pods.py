import pytest

from deploy.checks.manifests import grpc_services, image_variables
from deploy.checks.pods import problems


def test_the_base_fits_images_settings_and_protos(base):
    assert list(problems(base)) == []


def test_services_of_the_protos_are_known_by_full_name():
    assert "unflat.v1.SegmentationService" in grpc_services()


def test_an_image_has_the_variables_of_what_it_is_made_from():
    assert image_variables("depth").items() >= {"UNFLAT_PORT": "50052", "UNFLAT_MODELS": "/models"}.items()


def test_every_process_of_the_all_in_one_image_is_free_to_choose_its_ports():
    assert set(image_variables("all-in-one")) == {"UNFLAT_MODELS"}


def test_a_service_that_is_missing_is_told(base, find):
    base.remove(find(base, "Deployment", "depth"))
    (problem,) = problems(base)
    assert problem.startswith("Deployments are ")


@pytest.mark.parametrize("variable", ["UNFLAT_TREADS", "UNFLAT_DECODERS"])  # misspelt; of another service
def test_a_variable_that_sets_nothing_is_told(variable, base, container):
    container("depth")["env"].append({"name": variable, "value": "2"})
    assert list(problems(base)) == [f"depth: {variable} sets nothing"]


def test_a_shared_variable_that_sets_nothing_in_any_service_is_told(base):
    (shared,) = [m for m in base if m["kind"] == "ConfigMap"]
    shared["data"]["UNFLAT_GRACES"] = "2"
    assert "gateway: UNFLAT_GRACES sets nothing" in list(problems(base))


def test_a_port_that_the_image_does_not_listen_on_is_told(base, container):
    container("mesher")["ports"][2]["containerPort"] = 9091
    assert list(problems(base)) == ["mesher: port metrics is 9091; its image listens on 9090"]


def test_a_probe_that_asks_a_service_unknown_to_the_protos_is_told(base, container):
    container("mesher")["readinessProbe"]["grpc"]["service"] = "unflat.v1.Mesher"
    (problem,) = problems(base)
    assert "readinessProbe" in problem


def test_depth_must_not_be_restarted_for_lack_of_weights(base, container):
    container("depth")["startupProbe"]["grpc"]["service"] = "unflat.v1.DepthService"
    (problem,) = problems(base)
    assert problem.startswith("depth: startupProbe")


@pytest.mark.parametrize("name", ["segmentation", "depth", "mesher", "orchestrator"])
def test_liveness_asks_for_the_process_alone(name, base, container):
    container(name)["livenessProbe"]["grpc"]["service"] = f"unflat.v1.{name.capitalize()}Service"
    (problem,) = problems(base)
    assert "livenessProbe" in problem


def test_a_pod_that_would_be_killed_while_it_drains_is_told(base, find):
    find(base, "Deployment", "mesher")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 70
    (problem,) = problems(base)
    assert "killed after 70 s" in problem


def test_a_grace_below_the_longest_request_is_told(base, container):
    container("mesher")["env"].append({"name": "UNFLAT_GRACE_S", "value": "20"})
    (problem,) = problems(base)
    assert "20 s at the end; a request may take 60 s" in problem


def test_decoders_that_may_outgrow_the_container_are_told(base, container):
    container("orchestrator")["resources"]["limits"]["memory"] = "4Gi"
    (problem,) = problems(base)
    assert "decoders" in problem


def test_a_service_with_an_address_of_its_own_is_told(base, find):
    del find(base, "Service", "depth")["spec"]["clusterIP"]
    (problem,) = problems(base)
    assert "not headless" in problem


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
def test_a_selector_that_selects_nothing_is_told(kind, base, find):
    spec = find(base, kind, "depth")["spec"]["selector"]
    spec.get("matchLabels", spec)["app.kubernetes.io/name"] = "deep"
    (problem,) = problems(base)
    assert "does not select its pods" in problem


def test_an_address_that_no_service_offers_is_told(base, container):
    container("orchestrator")["env"][1]["value"] = "dns:///depth:50051"
    (problem,) = problems(base)
    assert "depth:50051" in problem


def test_another_tag_than_the_project_s_version_is_told(base, container):
    container("gateway")["image"] = "unflat-gateway:9.9.9"
    (problem,) = problems(base)
    assert "9.9.9" in problem


def test_weights_unknown_to_the_manifest_of_models_are_told(base, container, find):
    first = dict(container("depth"), args=["models", "pull", "depth-anything-v9"])
    find(base, "Deployment", "depth")["spec"]["template"]["spec"]["initContainers"] = [first]
    (problem,) = problems(base)
    assert "depth-anything-v9" in problem


def test_a_volume_of_two_sources_is_told(base, find):
    volumes = find(base, "Deployment", "depth")["spec"]["template"]["spec"]["volumes"]
    volumes[0] |= {"image": {"reference": "unflat-weights:0.1.0"}}
    assert list(problems(base)) == [f"depth: volume {volumes[0]['name']} has 2 sources"]


def test_a_gpu_without_the_image_that_can_use_it_is_told(base, container):
    container("mesher")["resources"]["limits"]["nvidia.com/gpu"] = 1
    (problem,) = problems(base)
    assert "wanted 0.1.0-cuda" in problem
    container("mesher")["image"] += "-cuda"
    assert list(problems(base)) == []
