"""Every door offers every option, but for those whose declaration says why not."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
import typer
from fastapi.testclient import TestClient

from services.cli.main import app as cli
from services.common.errors import InvalidOption
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.options.declare import Door, choices, limits
from services.common.options.doors import offered, why_missing
from services.gateway.app import create_app
from services.gateway.jobs.job_socket import parse_json_options
from services.gateway.settings import GatewaySettings
from unflat.v1 import mesher_pb2
from unflat.v1 import orchestrator_pb2 as pb

GROUPS = [MaskOptions, CutoutOptions, MeshOptions]
PAGE = Path("services/gateway/page")
NOBODY = SimpleNamespace(status=None)


def at_grpc(kind):
    message = {MaskOptions: pb.MaskOptions, CutoutOptions: pb.CutoutOptions, MeshOptions: mesher_pb2.MeshOptions}[kind]
    files = {"mask": "mask", "depth": "depth_map"} if kind is MaskOptions else {}

    def fields(descriptor):
        for field in descriptor.fields:
            yield from fields(field.message_type) if field.message_type else [field.name]

    return {*fields(message.DESCRIPTOR), *(files[f.name] for f in pb.Photo.DESCRIPTOR.fields if f.name in files)}


def at_http(kind):
    document = create_app(GatewaySettings(), NOBODY).openapi()
    routes = ["/generate-mesh", "/jobs/mesh"] if kind is MeshOptions else ["/remove-bg", "/jobs/cutout"]
    forms = []
    for route in routes:
        schema = document["paths"][route]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        forms.append(set(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]))
    assert forms[0] == forms[1]
    return forms[0]


def at_the_socket(kind):
    def is_known(name):
        with pytest.raises(InvalidOption) as refused:
            parse_json_options(f'{{"{name}": {{}}}}')
        return "wanted" in refused.value.message

    if kind is CutoutOptions:
        return set()  # `format` is known there, of the mesh
    return {name for name in kind.model_fields if is_known(name)}


def at_the_command_line(kind):
    command = typer.main.get_command(cli).commands["mesh" if kind is MeshOptions else "cutout"]
    return {parameter.name for parameter in command.params}


def at_the_page(kind):
    if kind is CutoutOptions:
        return set()  # `format` is asked for there, of the mesh
    return set(re.findall(r'\.(?:set|append)\("(\w+)"', "".join(file.read_text() for file in PAGE.glob("*.js"))))


DOORS = {
    "gRPC": at_grpc,
    "Python": lambda kind: set(kind.model_fields),
    "HTTP": at_http,
    "WebSocket": at_the_socket,
    "CLI": at_the_command_line,
    "page": at_the_page,
}


def test_all_doors_are_looked_at():
    assert tuple(DOORS) == get_args(Door)


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("door", DOORS)
def test_a_door_offers_what_the_declarations_say(door, kind):
    assert DOORS[door](kind) & set(kind.model_fields) == set(offered(kind, door))


@pytest.mark.parametrize("kind", GROUPS)
def test_what_is_missing_has_a_reason_and_is_little(kind):
    missing = [
        (name, door) for door in DOORS for name, field in kind.model_fields.items() if why_missing(kind, field, door)
    ]
    elsewhere = [(name, door) for name, door in missing if door not in ("page", "WebSocket")]
    assert len(elsewhere) <= 2, elsewhere


SAID = "kernel_size is 4; wanted an odd number of 3 to 7"


def test_every_door_refuses_in_the_same_words():
    with pytest.raises(InvalidOption) as refused:
        parse_json_options('{"kernel_size": 4}')
    assert refused.value.message == SAID
    answer = TestClient(create_app(GatewaySettings(), NOBODY)).post(
        "/remove-bg", files={"file": b"photo"}, data={"kernel_size": "4"}
    )
    assert (answer.status_code, answer.json()["detail"], answer.json()["field"]) == (422, SAID, "kernel_size")
    with pytest.raises(InvalidOption) as refused:
        cli(["cutout", "photo.png", "--kernel-size", "4"], standalone_mode=False)
    assert refused.value.message == SAID


def test_the_pages_controls_have_the_choices_and_the_range_of_their_options():
    html = (PAGE / "index.html").read_text()
    fields = MaskOptions.model_fields
    assert tuple(re.findall(r'name="preset" value="(\w+)"', html)) == choices(fields["preset"])
    (listed,) = re.findall(r'<select name="strategy">(.*?)</select>', html, re.DOTALL)
    assert tuple(re.findall(r'value="(\w+)"', listed)) == choices(fields["strategy"])
    ((low, high),) = re.findall(r'name="percentile" min="(\d+)" max="(\d+)"', html)
    assert (int(low), int(high)) == limits(fields["depth_percentile"])
    assert tuple(re.findall(r'data-format="(\w+)"', html)) == choices(MeshOptions.model_fields["format"])
