"""Where a process listens, for whoever started it."""

from __future__ import annotations

import json
import os

from services.common.serving.address_file import write_address_file


def test_addresses_are_written_with_the_process_id_and_nothing_is_left_beside(tmp_path):
    file = tmp_path / "addresses.json"
    write_address_file(file, {"address": "127.0.0.1:5", "metrics_port": -1}, orchestrator="elsewhere")
    assert json.loads(file.read_text()) == {"address": "127.0.0.1:5", "metrics_port": -1, "pid": os.getpid()}
    assert list(tmp_path.iterdir()) == [file]


def test_an_older_address_file_is_replaced(tmp_path):
    file = tmp_path / "addresses.json"
    file.write_text("old")
    write_address_file(file, {"address": "127.0.0.1:5"})
    assert json.loads(file.read_text())["address"] == "127.0.0.1:5"


def test_no_file_is_written_where_none_is_named(tmp_path):
    write_address_file(None, {"address": "127.0.0.1:5"})
    assert not list(tmp_path.iterdir())
