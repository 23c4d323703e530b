import pytest

from deploy.k8s import check


def test_every_overlay_is_built_alone_with_each_component_and_with_all():
    chosen = set(check.combinations())
    components = tuple(sorted(file.parent for file in (check.K8S / "components").rglob("kustomization.yaml")))
    for ground in (check.K8S / "base", check.K8S / "overlays/dev-cpu"):
        assert (ground, ()) in chosen
        assert all((ground, (component,)) in chosen for component in components)
        assert (ground, components) in chosen


def test_the_named_kubectl_goes_before_all_others(monkeypatch):
    monkeypatch.setenv("KUBECTL", "/opt/kubectl")
    assert check.find_kubectl() == "/opt/kubectl"


def test_without_kubectl_the_reason_is_said_and_images_are_checked_all_the_same(monkeypatch, capsys):
    monkeypatch.setattr(check, "find_kubectl", lambda: None)
    monkeypatch.setattr(check.dockerfiles, "problems", lambda image, root: [f"{image.path.name} is wrong"])
    assert check.main() == 1
    said = capsys.readouterr().out
    assert "no kubectl" in said
    assert "depth.Dockerfile is wrong" in said


def test_a_kind_without_a_schema_is_a_failure():
    pytest.importorskip("kubernetes_validate")
    manifest = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "x"}}
    assert len(check.Schemas().problems(manifest)) == len(check.VERSIONS)


def test_an_unknown_field_is_a_failure():
    pytest.importorskip("kubernetes_validate")
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIPP": "None"}}
    assert all("clusterIPP" in problem for problem in check.Schemas().problems(manifest))
