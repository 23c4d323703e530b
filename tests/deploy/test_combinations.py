import pytest

from deploy.checks.combinations import WITH, Combination, combinations, components, contained, fitting, go_together
from deploy.k8s.check import K8S

PROMISED = ("1.30", "1.31", "1.32")


@pytest.fixture(scope="module")
def every():
    return set(combinations(K8S))


def test_the_base_is_built_with_each_component_and_each_pair_that_goes_together(every):
    names = components(K8S)
    pairs = {(a, b) for a in names for b in names if a < b and go_together((a, b), K8S)}
    alone = {name for name in names if go_together((name,), K8S)}
    assert set(names) - alone == set(WITH)
    assert {Combination("base", (name,)) for name in alone} <= every
    assert {Combination("base", pair) for pair in pairs} <= every


@pytest.mark.parametrize("ground", ["overlays/dev-cpu", "overlays/edge-single-node", "overlays/gpu-prod"])
def test_every_overlay_is_built_alone_and_with_each_component_it_may_take(ground, every):
    own = contained(K8S / ground)
    taken = {name for c in every if c.ground == ground for name in c.components}
    assert Combination(ground, ()) in every
    assert not taken & own


def test_every_component_is_part_of_a_combination_with_many_others(every):
    large = {name for c in every if len(c.components) > 8 for name in c.components}
    assert {"keda", "hpa", "redis", "mtls", "network-policies", "monitoring"} <= large


@pytest.mark.parametrize(
    "chosen",
    [
        ("keda", "hpa"),
        ("weights-pvc", "weights-pull"),  # the one contains the other
        ("gpu-shared/depth", "gpu-nvidia/depth"),
        ("gpu-shared/depth", "mig/depth"),
        ("weights-image-volume", "weights-pull/triposr"),
        ("token", "token"),
        ("tracing/network-policy", "tracing"),  # it would confine pods that nothing else lets out
    ],
)
def test_what_answers_the_same_question_does_not_go_together(chosen):
    assert not go_together(chosen, K8S)


def test_the_network_policy_of_traces_goes_with_those_of_all_else():
    assert go_together(("network-policies", "tracing", "tracing/network-policy"), K8S)


def test_stages_may_have_gpus_of_different_kinds():
    assert go_together(("gpu-shared/segmentation", "mig/mesher", "gpu-nvidia/depth"), K8S)


def test_a_component_is_held_against_the_versions_that_know_it():
    assert fitting(("keda",), PROMISED) == list(PROMISED)
    assert fitting(("keda", "weights-image-volume"), PROMISED) == ["1.31", "1.32"]
