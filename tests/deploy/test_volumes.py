import pytest

from deploy.checks.volumes import problems


@pytest.fixture
def pod(base):
    """The pod of the mesher, to spoil."""
    (found,) = [m for m in base if m["kind"] == "Deployment" and m["metadata"]["name"] == "mesher"]
    return found["spec"]["template"]["spec"]


def test_the_base_mounts_what_it_has(base, root):
    assert list(problems(base, root)) == []


def test_a_mount_without_a_volume_is_told(base, pod, root):
    pod["containers"][0]["volumeMounts"].append({"name": "tls", "mountPath": "/tls"})
    assert list(problems(base, root)) == ["mesher: container mesher mounts tls, which is no volume of its pod"]


def test_a_volume_of_two_sources_is_told(base, pod, root):
    pod["volumes"][0] |= {"image": {"reference": "unflat-weights:0.1.0"}}
    assert list(problems(base, root)) == [f"mesher: volume {pod['volumes'][0]['name']} has 2 sources"]


def test_a_claim_that_is_not_in_the_build_is_told(base, pod, root):
    pod["volumes"][1] = {"name": "models", "persistentVolumeClaim": {"claimName": "weights"}}
    assert list(problems(base, root)) == ["mesher: volume models is the claim weights, which is not in the build"]


def test_a_secret_that_the_documentation_does_not_make_is_told(base, pod, root):
    reference = {"name": "hidden", "key": "token"}
    pod["containers"][0]["env"].append({"name": "X", "valueFrom": {"secretKeyRef": reference}})
    (problem,) = problems(base, root)
    assert "needs the Secret hidden" in problem


def test_a_secret_that_a_certificate_makes_needs_no_word(base, pod, root):
    pod["volumes"].append({"name": "tls", "secret": {"secretName": "mesher-tls"}})
    certificate = {"kind": "Certificate", "metadata": {"name": "mesher"}, "spec": {"secretName": "mesher-tls"}}
    assert list(problems([*base, certificate], root)) == []


def test_a_secret_in_the_manifests_is_told(base, root):
    (problem,) = problems([*base, {"kind": "Secret", "metadata": {"name": "token"}}], root)
    assert problem == "the Secret token is in the manifests"
