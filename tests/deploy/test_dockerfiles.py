from pathlib import Path

import pytest

from deploy.checks.dockerfiles import copy_sources, is_let_through, parse, problems, read_image

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "deploy/docker").glob("*.Dockerfile"))

GOOD = """\
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
ARG LOCK=depth
COPY requirements/${LOCK}.lock ./requirements.lock
RUN pip install --require-hashes -r requirements.lock
FROM ${BASE}
COPY --from=build /opt/unflat /opt/unflat
ENV A=1 \\
    B=2
EXPOSE 50052 9090
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["unflat-depth"]
"""


@pytest.fixture
def said(tmp_path):
    """Returns what the checks say of a Dockerfile's text, in a repository that has what GOOD copies."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/depth.lock").touch()
    (tmp_path / ".dockerignore").write_text("*\n!requirements\n")
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nunflat-depth = "services.depth.server:main"\n')

    def say(text):
        path = tmp_path / "depth.Dockerfile"
        path.write_text(text)
        return list(problems(read_image(path), tmp_path))

    return say


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_every_dockerfile_of_the_project_is_as_it_must_be(path):
    assert list(problems(read_image(path), ROOT)) == []


def test_every_service_has_a_dockerfile():
    services = {"segmentation", "depth", "mesher", "orchestrator", "gateway"}
    assert services <= {path.stem for path in DOCKERFILES}


def test_every_process_of_the_all_in_one_image_is_free_to_choose_its_ports():
    environment = read_image(ROOT / "deploy/docker/all-in-one.Dockerfile").environment
    assert [name for name in environment if name.endswith("PORT")] == []


def test_continuation_lines_and_comments_make_one_instruction():
    (run,) = parse("# first\nRUN a \\\n    # between\n    && b\n")
    assert (run.keyword, run.arguments, run.line) == ("RUN", "a && b", 2)


def test_environment_and_ports_of_the_final_stage_are_read(tmp_path):
    path = tmp_path / "x.Dockerfile"
    path.write_text(GOOD)
    image = read_image(path)
    assert image.environment == {"A": "1", "B": "2"}
    assert image.ports == {50052, 9090}


def test_copy_sources_take_the_defaults_of_build_arguments(tmp_path):
    path = tmp_path / "x.Dockerfile"
    path.write_text(GOOD)
    assert copy_sources(read_image(path)) == [(4, "requirements/depth.lock")]


def test_a_dockerfile_without_fault_is_not_complained_of(said):
    assert said(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("LOCK=depth", "LOCK=other", "requirements/other.lock, which does not exist"),
        ("COPY requirements/${LOCK}.lock", "COPY pyproject.toml", ".dockerignore keeps out"),
        ("--require-hashes ", "", "without hashes"),
        ("USER 10001:10001\n", "", "runs as root"),
        ("USER 10001:10001", "USER unflat", "runs as unflat"),
        ("STOPSIGNAL SIGTERM\n", "", "STOPSIGNAL"),
        ('["unflat-depth"]', "unflat-depth", "exec form"),
        ('["unflat-depth"]', '["unflat-deep"]', "no console script"),
        ("EXPOSE", "RUN apt-get install -y gcc\nEXPOSE", "into the final stage"),
    ],
)
def test_a_faulty_dockerfile_is_named_with_its_fault(said, old, new, wanted):
    (problem,) = said(GOOD.replace(old, new))
    assert wanted in problem


def test_dockerignore_lets_through_what_lies_under_a_named_folder():
    assert is_let_through("gen/unflat", "*\n!gen\n")
    assert not is_let_through("general", "*\n!gen\n")
