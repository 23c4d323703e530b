import pytest

from deploy.docker.check import ROOT, differences, locks, pins

A, B = "a" * 64, "b" * 64
LOCK = f"""\
Google_Apis==1.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via unflat
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{A}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{B}
colorama==0.4 ; sys_platform == 'win32' \\
    --hash=sha256:{A}
"""


def chosen(*items):
    """A report of pip: (name, version, hash)."""
    return {
        "install": [
            {"metadata": {"name": n, "version": v}, "download_info": {"archive_info": {"hashes": {"sha256": h}}}}
            for n, v, h in items
        ]
    }


GOOD = (("google-apis", "1.0", B), ("numpy", "2.4.6", A))


def test_versions_markers_and_hashes_of_a_lock_are_read():
    read = pins(LOCK)
    assert read["google-apis"][0].hashes == {A, B}
    assert [pin.marker for pin in read["numpy"]] == ["python_full_version < '3.12'", "python_full_version >= '3.12'"]


def test_a_choice_that_is_the_lock_is_not_complained_of():
    assert differences(LOCK, chosen(*GOOD)) == []


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ((("google-apis", "1.1", B), GOOD[1]), "google-apis would be 1.1; the lock pins 1.0"),
        ((("google-apis", "1.0", "c" * 64), GOOD[1]), "which is not in the lock"),
        ((GOOD[1],), "google-apis is pinned and not installed"),
        ((*GOOD, ("scipy", "1.0", A)), "scipy is needed and not in the lock"),
    ],
)
def test_a_choice_that_differs_is_told(items, told):
    (problem,) = differences(LOCK, chosen(*items))
    assert told in problem


def test_every_image_s_lock_is_asked_for_with_its_cuda_form_and_what_builds_the_wheel():
    names = {lock.name for lock in locks(ROOT)}
    services = {"segmentation", "depth", "mesher", "orchestrator", "gateway"}
    assert {f"{name}.lock" for name in services} | {"build.lock", "light.lock"} <= names
    assert {f"{name}-cuda.lock" for name in ("segmentation", "depth", "mesher")} <= names


@pytest.mark.parametrize("name", ["segmentation", "depth", "mesher"])
def test_a_cuda_lock_has_one_runtime_and_no_wheel_of_one_machine(name):
    read = pins((ROOT / f"requirements/{name}-cuda.lock").read_text(encoding="utf-8"))
    assert "onnxruntime" not in read  # the CPU build would take the place of the other's files
    assert [n for n, choices in read.items() if any("+" in pin.version for pin in choices)] == []
    assert ("torch" if name == "mesher" else "onnxruntime-gpu") in read


@pytest.mark.parametrize("lock", [*locks(ROOT)[2:]], ids=lambda path: path.stem)
def test_what_sends_traces_can_be_added_to_every_lock(lock):
    tracing = pins((ROOT / "requirements/tracing.lock").read_text(encoding="utf-8"))
    for name, choices in pins(lock.read_text(encoding="utf-8")).items():
        if name in tracing:
            assert {pin.version for pin in choices} <= {pin.version for pin in tracing[name]}, name
