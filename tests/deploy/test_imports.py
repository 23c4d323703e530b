from importlib.metadata import packages_distributions

import pytest

from deploy.checks.imports import libraries_of, locked, missing


@pytest.fixture
def tree(tmp_path):
    """A repository of one service that needs numpy at its start and torch only when asked."""
    files = {
        "services/depth/__main__.py": "from services.depth.server import main\n",
        "services/depth/server.py": "import json\nfrom services.common import wire\n\ndef main():\n    import torch\n",
        "services/common/__init__.py": "",
        "services/common/wire.py": "import numpy.linalg\nfrom google.rpc import status_pb2\n",
        "depth.lock": "Google_Apis==1.0 \\\n    --hash=sha256:00\nnumpy==2.0 \\\n    --hash=sha256:00\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


DISTRIBUTIONS = {"numpy": ["numpy"], "google": ["google-apis"]}


def test_imports_are_followed_through_the_project_and_not_into_functions(tree):
    assert set(libraries_of("depth", tree)) == {"numpy", "google"}


def test_names_of_a_lock_are_normalised(tree):
    assert locked(tree / "depth.lock") == {"google-apis", "numpy"}


def test_a_lock_with_everything_is_not_complained_of(tree):
    assert missing("depth", tree, tree / "depth.lock", DISTRIBUTIONS) == []


def test_a_library_that_the_lock_lacks_is_named_with_the_file_that_needs_it(tree):
    (tree / "depth.lock").write_text("google-apis==1.0\n")
    told = missing("depth", tree, tree / "depth.lock", DISTRIBUTIONS)
    assert told == ["services/common/wire.py imports numpy, which depth.lock does not install"]


@pytest.mark.parametrize(
    ("service", "lock"),
    [
        *((name, name) for name in ("segmentation", "depth", "mesher", "orchestrator", "gateway")),
        *((name, f"{name}-cuda") for name in ("segmentation", "depth", "mesher")),
        *((name, "light") for name in ("segmentation", "depth", "mesher", "orchestrator", "gateway", "cli")),
    ],
)
def test_every_service_starts_with_what_its_lock_installs(service, lock, root):
    assert missing(service, root, root / f"requirements/{lock}.lock", packages_distributions()) == []
