import pytest

from deploy.checks.manifests import grpc_services, problems


def deployment(base, name):
    return next(m for m in base if m["kind"] == "Deployment" and m["metadata"]["name"] == name)


def service(base, name):
    return next(m for m in base if m["kind"] == "Service" and m["metadata"]["name"] == name)


def test_the_base_fits_images_settings_and_protos(base, root):
    assert list(problems(base, root)) == []


def test_services_of_the_protos_are_known_by_full_name():
    assert "unflat.v1.SegmentationService" in grpc_services()


def test_a_misspelt_setting_is_told(base, container, root):
    container("depth")["env"].append({"name": "UNFLAT_TREADS", "value": "2"})
    assert list(problems(base, root)) == ["depth: UNFLAT_TREADS sets nothing in this service"]


def test_a_setting_of_another_service_is_told(base, container, root):
    container("depth")["env"].append({"name": "UNFLAT_DECODERS", "value": "2"})
    assert list(problems(base, root)) == ["depth: UNFLAT_DECODERS sets nothing in this service"]


def test_a_reference_to_a_variable_that_comes_later_is_told(base, container, root):
    store = {"name": "UNFLAT_STORE", "value": "redis://:$(REDIS_PASSWORD)@redis:6379/0"}
    password = {"name": "REDIS_PASSWORD", "value": "x"}
    variables = container("gateway")["env"]
    base.append({"kind": "Service", "metadata": {"name": "redis"}, "spec": {"ports": [{"port": 6379}]}})
    variables += [password, store]
    assert list(problems(base, root)) == []
    variables[-2:] = [store, password]
    (problem,) = problems(base, root)
    assert "UNFLAT_STORE names $(REDIS_PASSWORD), which does not stand before it" in problem


def test_a_port_that_the_image_does_not_listen_on_is_told(base, container, root):
    container("mesher")["ports"][2]["containerPort"] = 9091
    assert list(problems(base, root)) == ["mesher: port metrics is 9091; its image listens on 9090"]


def test_a_probe_that_asks_a_service_unknown_to_the_protos_is_told(base, container, root):
    container("mesher")["readinessProbe"]["grpc"]["service"] = "unflat.v1.Mesher"
    (problem,) = problems(base, root)
    assert "readinessProbe" in problem


def test_depth_must_not_be_restarted_for_lack_of_weights(base, container, root):
    container("depth")["startupProbe"]["grpc"]["service"] = "unflat.v1.DepthService"
    (problem,) = problems(base, root)
    assert problem.startswith("depth: startupProbe")


@pytest.mark.parametrize("name", ["segmentation", "depth", "mesher", "orchestrator"])
def test_liveness_asks_for_the_process_alone(name, base, container, root):
    container(name)["livenessProbe"]["grpc"]["service"] = f"unflat.v1.{name.capitalize()}Service"
    (problem,) = problems(base, root)
    assert "livenessProbe" in problem


def test_a_route_that_the_gateway_has_not_is_told(base, container, root):
    container("gateway")["readinessProbe"]["httpGet"]["path"] = "/nowhere"
    (problem,) = problems(base, root)
    assert "/nowhere" in problem


def test_a_pod_that_would_be_killed_while_it_drains_is_told(base, root):
    deployment(base, "mesher")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 70
    (problem,) = problems(base, root)
    assert "killed after 70 s" in problem


def test_a_grace_below_the_longest_request_is_told(base, container, root):
    container("mesher")["env"].append({"name": "UNFLAT_GRACE_S", "value": "20"})
    (problem,) = problems(base, root)
    assert "20 s at the end; a request may take 60 s" in problem


def test_decoders_that_may_outgrow_the_container_are_told(base, container, root):
    container("orchestrator")["resources"]["limits"]["memory"] = "4Gi"
    (problem,) = problems(base, root)
    assert "decoders" in problem


def test_a_service_with_an_address_of_its_own_is_told(base, root):
    del service(base, "depth")["spec"]["clusterIP"]
    (problem,) = problems(base, root)
    assert "not headless" in problem


def test_an_address_that_no_service_offers_is_told(base, container, root):
    container("orchestrator")["env"][1]["value"] = "dns:///depth:50051"
    (problem,) = problems(base, root)
    assert "depth:50051" in problem


@pytest.mark.parametrize("key", ["enableServiceLinks", "automountServiceAccountToken"])
def test_what_pods_must_not_have_is_told(key, base, root):
    del deployment(base, "gateway")["spec"]["template"]["spec"][key]
    (problem,) = problems(base, root)
    assert key in problem


def test_a_writable_root_is_told(base, container, root):
    container("gateway")["securityContext"]["readOnlyRootFilesystem"] = False
    (problem,) = problems(base, root)
    assert "may write its root" in problem


def test_another_tag_than_the_project_s_version_is_told(base, container, root):
    container("gateway")["image"] = "unflat-gateway:9.9.9"
    (problem,) = problems(base, root)
    assert "9.9.9" in problem


def test_weights_unknown_to_the_manifest_of_models_are_told(base, container, root):
    first = dict(container("depth"), args=["models", "pull", "depth-anything-v9"])
    deployment(base, "depth")["spec"]["template"]["spec"]["initContainers"] = [first]
    (problem,) = problems(base, root)
    assert "depth-anything-v9" in problem


def test_a_gpu_without_the_image_that_can_use_it_is_told(base, container, root):
    container("mesher")["resources"]["limits"]["nvidia.com/gpu"] = 1
    (problem,) = problems(base, root)
    assert "wanted 0.1.0-cuda" in problem
    container("mesher")["image"] += "-cuda"
    assert list(problems(base, root)) == []


def test_gpus_of_two_kinds_are_told(base, container, root):
    container("mesher")["resources"]["limits"] |= {"nvidia.com/gpu": 1, "nvidia.com/gpu.shared": 1}
    container("mesher")["image"] += "-cuda"
    (problem,) = problems(base, root)
    assert "GPUs of several kinds" in problem
