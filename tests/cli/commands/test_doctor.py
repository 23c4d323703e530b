"""`unflat doctor`: what is here, what is missing, what mends it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("UNFLAT_MODELS", str(tmp_path / "store"))


def test_a_machine_that_can_run_the_tests_is_fit(unflat):
    ended = unflat("doctor")
    assert ended.code == 0, ended.out
    for what in ("Python", "memory", "packages", "npm"):
        assert what in ended.out


def test_missing_weights_come_with_their_command_and_are_no_failure(unflat):
    assert "unflat models pull isnet-general-use" in unflat("doctor").out


def test_a_missing_package_is_a_failure_with_the_command_that_mends_it(unflat, monkeypatch):
    monkeypatch.setattr("services.cli.commands.doctor._NEEDED", ("grpc", "no_such_package"))
    ended = unflat("doctor")
    assert ended.code == 1
    assert "missing: no_such_package" in ended.out
    assert "unflat[light]" in ended.out


def test_a_matting_network_that_is_named_and_not_here_is_a_failure(unflat, monkeypatch, tmp_path):
    path = tmp_path / "vitmatte.onnx"
    monkeypatch.setenv("UNFLAT_MATTING", f"onnx:{path}?side=1024")
    ended = unflat("doctor")
    assert ended.code == 1
    assert "UNFLAT_MATTING" in ended.out
    path.write_bytes(b"x")
    assert unflat("doctor").code == 0
