"""A policy scan of what was built (checkov, in an environment of its own): every finding mended or explained.

What is left stands in deploy/k8s/policy-exceptions.yaml with its reason.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.checks.manifests import Manifest


@dataclass(frozen=True)
class Finding:
    """One policy that one resource (Kind.namespace.name) does not keep."""

    check: str
    name: str
    resource: str


def scanner(root: Path) -> str | None:
    """Return the program: `CHECKOV`, or the one that `make k8s-check` installs."""
    named = os.environ.get("CHECKOV")
    if named:
        return named
    installed = root / ".venv-audit/bin/checkov"
    return str(installed) if installed.is_file() else None


def problems(builds: Sequence[Sequence[Manifest]], root: Path) -> list[str]:
    """Return one sentence for each finding that is not explained, and each explanation that explains nothing."""
    program = scanner(root)
    if program is None:
        return ["there is nothing to scan policies with: `make .venv-audit/ready`, or leave it out with --no-scan"]
    exceptions = yaml.safe_load((root / "deploy/k8s/policy-exceptions.yaml").read_text(encoding="utf-8"))
    return list(unexplained(scan(program, builds), exceptions))


def scan(program: str, builds: Sequence[Sequence[Manifest]]) -> list[Finding]:
    """Return what the scanner finds in the builds.

    Raises:
        ValueError: it could not read all of them, with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        for number, built in enumerate(builds):
            Path(folder, f"{number}.yaml").write_text(yaml.safe_dump_all(built), encoding="utf-8")
        command = [program, "-d", folder, "--framework", "kubernetes", "--skip-download", "--compact", "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout)
        if said["summary"]["parsing_errors"] or not said["summary"]["resource_count"]:
            raise ValueError(f"the scan could not read its files: {said['summary']}")
        failed = said["results"]["failed_checks"]
    except (KeyError, TypeError, json.JSONDecodeError):
        raise ValueError(f"the scan ended with {done.returncode}: {done.stderr.strip()[-500:]}") from None
    return sorted(
        {Finding(f["check_id"], f["check_name"], f["resource"]) for f in failed}, key=lambda f: (f.check, f.resource)
    )


def unexplained(findings: Iterable[Finding], exceptions: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield what no exception explains, and exceptions without a finding or a reason."""
    used: set[int] = set()
    for finding in findings:
        matching = [
            number
            for number, exception in enumerate(exceptions)
            if exception["check"] == finding.check and re.fullmatch(exception["resources"], finding.resource)
        ]
        used.update(matching)
        if not matching:
            yield f"{finding.resource}: {finding.name} ({finding.check})"
    for number, exception in enumerate(exceptions):
        if number not in used:
            yield f"policy-exceptions.yaml explains {exception['check']}, which nothing needs any more"
        if len(exception.get("why", "")) < 40:
            yield f"policy-exceptions.yaml does not say why {exception['check']} is left"
