"""Names and headers that any upload may bring about."""

from __future__ import annotations

import pytest

from services.common.client import MeshResult
from services.gateway.routes.responses import file_answer, header_text, mesh_info
from unflat.v1 import orchestrator_pb2 as pb


def disposition(upload):
    made = MeshResult(b"x", "glb", b"", pb.Receipt(), {})
    return file_answer(made.data, mesh_info(made, upload), {}).headers["content-disposition"]


@pytest.mark.parametrize(
    ("upload", "name"),
    [
        ("mug.jpg", "mug.glb"),
        ("../../etc/passwd", "passwd.glb"),
        ("C:\\photos\\mug.jpg", "mug.glb"),
        ("", "unflat.glb"),
        ("...", "unflat.glb"),
        ('a"b\r\nX-Evil: 1.jpg', "a_bX-Evil: 1.glb"),
    ],
)
def test_answer_is_named_after_the_upload_without_its_tricks(upload, name):
    assert f'filename="{name}"' in disposition(upload)


def test_name_beyond_ascii_is_given_twice():
    assert disposition("Täßchen.jpg") == "attachment; filename=\"T__chen.glb\"; filename*=UTF-8''T%C3%A4%C3%9Fchen.glb"


def test_lone_surrogate_in_a_name_does_no_harm():
    assert "filename*=UTF-8" in disposition("a\udc80é.jpg")


def test_header_text_is_one_line_of_ascii():
    assert header_text("5 × 4 – ‘ok’\n\tInjected: 1\u2028\x00") == "5 x 4 - ?ok' Injected: 1 ?"


def test_long_text_is_cut():
    assert len(header_text("word " * 1000)) == 1000
