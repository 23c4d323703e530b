"""`make rules`: the rules of deploy/observability as a PrometheusRule, for the component `monitoring`.

Kustomize reads no files from outside a component, so the copy is committed; a test holds it against its source.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "deploy/observability/rules"
TARGET = ROOT / "deploy/k8s/components/monitoring/rules.yaml"

_HEAD = "# Written by `make rules` from deploy/observability/rules, where each rule is explained.\n"


def prometheus_rule(source: Path) -> str:
    """Return the manifest that holds all rules files of a folder, in the order of their names."""
    files = sorted(source.glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "unflat"},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True)


def main() -> int:
    """Write the copy anew and return the exit status."""
    TARGET.write_text(prometheus_rule(SOURCE), encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
