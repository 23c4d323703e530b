"""Jobs: started, followed, fetched, cancelled, expired."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trimesh
from PIL import Image

from services.common.errors import InvalidImage, NoSubject
from services.gateway.jobs.job_worker import JobWorker
from tests.waiting import until


def start(house, photo, kind="cutout", **form):
    answer = house.http.post(f"/jobs/{kind}", files={"file": ("mug.jpg", photo)}, data=form)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    return answer.json()


def events(house, job_id, **headers):
    """Follow a job to its end; returns what each event said."""
    with house.http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = "".join(answer.iter_text()).splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def finish(house, job):
    return events(house, job["id"])[-1]


def wait_for(house, job_id, wanted):
    """Look at the job until `wanted` holds."""

    def looked():
        job = house.http.get(f"/jobs/{job_id}").json()
        return job if wanted(job) else None

    return until(looked)


def test_new_job_has_every_field_of_the_contract(house, photo):
    job = start(house, photo)
    assert set(job) == {
        "id", "kind", "state", "stage", "step", "fraction", "elapsed_s", "error", "artifacts", "result", "receipt",
        "created", "expires",
    }  # fmt: skip
    assert (job["kind"], job["state"], job["error"], job["result"]) == ("cutout", "queued", None, None)
    assert job["created"] < job["expires"]


def test_cutout_job_ends_with_result_artifacts_and_receipt(house, photo):
    job = finish(house, start(house, photo))
    assert (job["state"], job["fraction"], job["receipt"]["request_id"]) == ("done", 1.0, job["id"])
    assert job["result"] == {"media_type": "image/png", "name": "mug.png", "bytes": len(house.orchestrator.png)}
    assert job["artifacts"] == ["preview.png", "cutout.png", "segmentation.png", "hybrid.png"]
    result = house.http.get(f"/jobs/{job['id']}/result")
    assert (result.content, result.headers["content-type"]) == (house.orchestrator.png, "image/png")
    assert result.headers["content-disposition"] == 'inline; filename="mug.png"'
    for name in job["artifacts"]:
        picture = house.http.get(f"/jobs/{job['id']}/artifacts/{name}")
        assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    assert house.http.get(f"/receipts/{job['id']}").json() == job["receipt"]


def test_jobs_ask_for_the_pictures_between(house, photo):
    finish(house, start(house, photo, "mesh", preset="quality", format="stl"))
    asked = house.last()
    assert (asked["debug"], asked["mask"].preset, asked["mesh"].format) == (True, "quality", "stl")


def test_mesh_job_has_a_sheet_of_its_views(house, photo):
    house.orchestrator.mesh = trimesh.creation.icosphere(2).export(file_type="glb")
    job = finish(house, start(house, photo, "mesh"))
    assert job["result"]["media_type"] == "model/gltf-binary"
    assert {"cutout.png", "views.png"} <= set(job["artifacts"])
    sheet = house.http.get(f"/jobs/{job['id']}/artifacts/views.png").content
    assert Image.open(io.BytesIO(sheet)).width > 1000


def test_mesh_that_cannot_be_drawn_is_a_result_all_the_same(house, photo):
    house.orchestrator.mesh = b"PK\x03\x04 a textured OBJ"
    job = finish(house, start(house, photo, "mesh", format="obj"))
    assert (job["state"], job["result"]["name"]) == ("done", "mug.zip")
    assert "views.png" not in job["artifacts"]


def test_masks_are_no_cutouts(house, photo):
    job = finish(house, start(house, photo, mask_only="true"))
    assert job["result"]["name"] == "mug-mask.png"
    assert "cutout.png" not in job["artifacts"]


def test_progress_and_preview_are_seen_while_the_job_runs(house, photo):
    house.orchestrator.gate = threading.Event()
    job = wait_for(house, start(house, photo)["id"], lambda job: job["artifacts"])
    assert (job["state"], job["artifacts"]) == ("running", ["preview.png"])
    assert 0 < job["fraction"] < 1
    early = house.http.get(f"/jobs/{job['id']}/result")
    assert (early.status_code, early.json()["code"]) == (409, "CONFLICT")
    house.orchestrator.gate.set()
    assert finish(house, job)["state"] == "done"


def test_events_come_at_every_change_and_end_with_the_job(house, photo):
    house.orchestrator.gate = threading.Event()
    job = start(house, photo)
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(events, house, job["id"])
        until(lambda: house.http.app.state.gateway.jobs.watched(job["id"]))
        house.orchestrator.gate.set()
        told = followed.result()
    assert told[0]["id"] == job["id"]
    assert [each["state"] for each in told][-1] == "done"
    fractions = [each["fraction"] for each in told]
    assert fractions == sorted(fractions) and len(told) >= 2


def test_quiet_stream_sends_signs_of_life(open_house, photo, monkeypatch):
    house = open_house(heartbeat_s=0.05, concurrency=1)
    house.orchestrator.gate = threading.Event()
    start(house, photo)
    waiting = start(house, photo)
    jobs = house.http.app.state.gateway.jobs
    watch = jobs.watch

    async def until_a_sign(*asked):
        async for job in watch(*asked):
            yield job
            if job is None:
                house.orchestrator.gate.set()

    monkeypatch.setattr(jobs, "watch", until_a_sign)
    with house.http.stream("GET", f"/jobs/{waiting['id']}/events") as answer:
        assert ": still here" in "".join(answer.iter_text())


def test_reader_who_comes_back_is_told_the_end_once(house, photo):
    job = start(house, photo)
    with house.http.stream("GET", f"/jobs/{job['id']}/events") as answer:
        last = [line for line in "".join(answer.iter_text()).splitlines() if line.startswith("id: ")][-1]
    assert events(house, job["id"], **{"Last-Event-ID": "1"})[-1]["state"] == "done"
    again = house.http.get(f"/jobs/{job['id']}/events", headers={"Last-Event-ID": last.removeprefix("id: ")})
    assert again.status_code == 204


@pytest.mark.parametrize("error", [InvalidImage("no picture", field="file"), NoSubject("a blank wall")])
def test_failed_job_says_why(house, photo, error):
    house.orchestrator.error = error
    job = finish(house, start(house, photo))
    assert (job["state"], job["error"]["detail"], job["error"]["code"]) == ("failed", error.message, error.reason)
    assert (job["error"]["status"], job["error"]["request_id"]) == (error.http_status, job["id"])
    refused = house.http.get(f"/jobs/{job['id']}/result")
    assert refused.status_code == 409
    assert error.message in refused.json()["detail"]


def test_defect_fails_the_job_without_its_text(house, photo, logs):
    house.orchestrator.error = RuntimeError("the inner text")
    job = finish(house, start(house, photo))
    assert (job["state"], job["error"]["code"]) == ("failed", "INTERNAL")
    assert "inner" not in json.dumps(job)
    defect = next(line for line in logs() if line["event"] == "defect")
    assert (defect["request_id"], "the inner text" in defect["exception"]) == (job["id"], True)


def test_bad_option_is_refused_at_once_and_no_job_begins(house, photo):
    answer = house.http.post("/jobs/mesh", files={"file": photo}, data={"resolution": "1"})
    assert (answer.status_code, answer.json()["field"]) == (422, "resolution")
    assert not house.orchestrator.calls


def test_deleted_job_is_cancelled_and_forgotten(house, photo):
    house.orchestrator.gate = threading.Event()
    job = wait_for(house, start(house, photo)["id"], lambda job: job["state"] == "running")
    assert house.http.delete(f"/jobs/{job['id']}").status_code == 204
    for path in ("", "/result", "/events", "/artifacts/preview.png"):
        assert house.http.get(f"/jobs/{job['id']}{path}").status_code == 404
    until(lambda: house.orchestrator.cancelled)
    assert house.orchestrator.cancelled == 1
    assert house.http.delete(f"/jobs/{job['id']}").status_code == 404


def test_watcher_of_a_deleted_job_hears_that_it_was_cancelled(house, photo):
    house.orchestrator.gate = threading.Event()
    job = start(house, photo)
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(events, house, job["id"])
        until(lambda: house.http.app.state.gateway.jobs.watched(job["id"]))
        house.http.delete(f"/jobs/{job['id']}")
        assert followed.result()[-1]["state"] == "cancelled"


def test_files_of_a_job_forgotten_at_the_last_moment_are_dropped(house, photo, monkeypatch):
    real = JobWorker._finish

    async def forgotten_first(self, made):
        await self._jobs.forget(self.job)
        await real(self, made)

    monkeypatch.setattr(JobWorker, "_finish", forgotten_first)
    job = start(house, photo)
    gateway = house.http.app.state.gateway
    until(lambda: not gateway.runner.running)
    assert house.http.get(f"/jobs/{job['id']}").status_code == 404
    assert house.http.get(f"/jobs/{job['id']}/result").status_code == 404


def test_job_expires_with_its_files(open_house, photo):
    house = open_house(job_ttl_s=0.2)
    job = start(house, photo)
    until(lambda: house.http.get(f"/jobs/{job['id']}").status_code != 200)
    assert house.http.get(f"/jobs/{job['id']}/result").status_code == 404


def test_result_that_made_room_for_others_is_410(open_house, photo):
    house = open_house(store_mb=1)
    house.orchestrator.mesh = bytes(600 << 10)
    first, second = (finish(house, start(house, photo, "mesh")) for _ in range(2))
    gone = house.http.get(f"/jobs/{first['id']}/result")
    assert (gone.status_code, gone.json()["code"]) == (410, "GONE")
    assert house.http.get(f"/jobs/{second['id']}/result").status_code == 200


def test_result_larger_than_the_store_fails_the_job_with_the_setting_to_change(open_house, photo):
    house = open_house(store_mb=1)
    house.orchestrator.mesh = bytes(2 << 20)
    job = finish(house, start(house, photo, "mesh"))
    assert job["state"] == "failed"
    assert "--store-mb" in job["error"]["detail"]


def test_jobs_beyond_the_queue_are_429(open_house, photo):
    house = open_house(concurrency=1, queue=1)
    house.orchestrator.gate = threading.Event()
    running = start(house, photo)
    wait_for(house, running["id"], lambda job: job["state"] == "running")
    waiting = start(house, photo)
    until(lambda: house.http.app.state.gateway.admission.waiting == 1)
    refused = house.http.post("/jobs/cutout", files={"file": photo})
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert house.http.get(f"/jobs/{waiting['id']}").json()["state"] == "queued"
    house.orchestrator.gate.set()
    assert finish(house, waiting)["state"] == "done"


def test_shutdown_fails_what_is_late_and_says_so(open_house, photo):
    house = open_house(grace_s=0.05)
    house.orchestrator.gate = threading.Event()
    job = wait_for(house, start(house, photo)["id"], lambda job: job["state"] == "running")
    gateway = house.http.app.state.gateway
    house.http.portal.call(gateway.runner.close, 0.05)
    job = house.http.get(f"/jobs/{job['id']}").json()
    assert (job["state"], job["error"]["code"]) == ("failed", "STAGE_UNAVAILABLE")
    assert "stopped" in job["error"]["detail"]


@pytest.mark.parametrize("path", ["", "/events", "/result", "/artifacts/cutout.png"])
def test_unknown_job_is_a_404_problem(house, path):
    answer = house.http.get(f"/jobs/none{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_unknown_picture_says_which_there_are(house, photo):
    job = finish(house, start(house, photo))
    answer = house.http.get(f"/jobs/{job['id']}/artifacts/result")
    assert answer.status_code == 404
    assert "cutout.png" in answer.json()["detail"]
