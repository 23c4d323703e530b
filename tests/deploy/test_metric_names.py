import pytest

from deploy.checks.metric_names import problems


@pytest.mark.parametrize(
    "expression",
    [
        'sum(unflat_stage_demand{stage="depth",namespace="unflat"})',
        'histogram_quantile(0.9, sum by (le) (rate(unflat_phase_seconds_bucket{phase="compute"}[5m])))',
        "rate(unflat_shed_total[5m]) > 0",
        "unflat:stage_demand:sum",
    ],
)
def test_metrics_as_services_have_them_are_not_complained_of(expression):
    assert list(problems(expression)) == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("unflat_shed", "unflat_shed, which no service has"),
        ("rate(unflat_phase_seconds[5m])", "unflat_phase_seconds, which no service has"),
        ('unflat_queued{phase="queue"}', "unflat_queued by phase; it has stage"),
    ],
)
def test_a_metric_or_label_that_no_service_has_is_told(expression, told):
    (problem,) = problems(expression)
    assert told in problem
