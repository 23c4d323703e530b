import pytest

from deploy.k8s import check


def test_every_build_is_as_it_must_be(kubectl):
    assert check.check_all(kubectl, list(check.combinations())) == []


def test_what_kustomize_refuses_is_said(kubectl):
    with pytest.raises(ValueError, match="weights"):
        check.build(kubectl, ("base", "weights-pvc", "weights-pull"))


def test_a_misspelt_field_is_told():
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIPP": "None"}}
    (problem,) = check.schema_problems(service, check.VERSIONS[0])
    assert "clusterIPP" in problem


def test_a_kind_without_a_schema_is_a_failure():
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    (problem,) = check.schema_problems(unknown, check.VERSIONS[0])
    assert "no schema knows example.com/v1 Thing" in problem


def test_the_named_kubectl_goes_before_all_others(monkeypatch):
    monkeypatch.setenv("KUBECTL", "/opt/kubectl")
    assert check.find_kubectl() == "/opt/kubectl"


def test_without_kubectl_the_reason_is_said(monkeypatch, capsys):
    monkeypatch.setattr(check, "find_kubectl", lambda: None)
    assert check.main([]) == 1
    assert "no kubectl" in capsys.readouterr().out
