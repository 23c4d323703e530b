from deploy.k8s.rules import SOURCE, TARGET, prometheus_rule


def test_the_copy_for_the_operator_is_what_the_source_makes():
    assert TARGET.read_text(encoding="utf-8") == prometheus_rule(SOURCE), "run `make rules`"


def test_groups_of_all_files_are_taken_in_order(tmp_path):
    for name in ("b", "a"):
        rule = f"groups:\n- name: {name}\n  rules:\n  - record: unflat:{name}\n    expr: unflat_queued\n"
        (tmp_path / f"{name}.yaml").write_text(rule)
    made = prometheus_rule(tmp_path)
    assert made.index("name: a") < made.index("name: b")
