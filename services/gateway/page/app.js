// The page: a photo comes in, a job is started and followed, its result is shown. One photo, one run at a time.

import { dropJob, fetchArtifact, fetchResult, followJob, Problem, setToken, startJob } from "./api.js";
import * as brush from "./brush.js";
import * as compare from "./compare.js";
import { listenForPhotos } from "./intake.js";
import { alphaOfGrey, blank, greyOfAlpha } from "./masks.js";
import * as mesh from "./mesh.js";
import { openPhoto, workingSize } from "./photo.js";
import * as problems from "./problems.js";
import * as progress from "./progress.js";
import * as receipt from "./receipt.js";
import { save } from "./saving.js";
import { addSettings, listenForSettings, wantedKind } from "./settings.js";

const PREVIEW = "preview.png";
const VIEWS = "views.png";
// The way of the mask, first to last, under the names that the API gives the pictures.
const LAYERS = [
  { name: "cutout", caption: "Cutout", alt: "The cutout" },
  { name: "segmentation", caption: "Found", alt: "The mask as the segmentation found it" },
  { name: "depth", caption: "Depth", alt: "The depth map" },
  { name: "depth_mask", caption: "Near", alt: "What the depth map says is near" },
  { name: "hybrid", caption: "Final", alt: "The final mask, joined with depth" },
];

const UNUSABLE = new Set(["INVALID_IMAGE", "IMAGE_TOO_LARGE"]); // only another photo helps

const byId = (id) => document.getElementById(id);
const state = {
  photo: null,
  ownMask: null, // a grey PNG, once the brush was used
  run: null, // {controller, id} of the job that is followed
  result: null, // {id, pictures, mesh, receipt} of the last one that succeeded
};

async function take(file) {
  stop();
  problems.hide();
  leaveBrush();
  if (state.photo?.url) URL.revokeObjectURL(state.photo.url);
  state.photo = await openPhoto(file);
  state.ownMask = state.result = null;
  showWorkspace(true);
  byId("progress-now").focus(); // what had it is gone with the first page
  compare.showPhoto(state.photo);
  mesh.clear();
  receipt.hide();
  await start();
}

async function start() {
  stop();
  problems.hide();
  byId("token").hidden = true;
  const kind = wantedKind();
  const run = { controller: new AbortController(), id: "" };
  state.run = run;
  showWhatIsThere();
  progress.begin(kind);
  mesh.setWanted(kind === "mesh");
  try {
    await follow(run, kind);
  } catch (error) {
    if (run !== state.run || error.name === "AbortError") return;
    stop();
    showProblem(error);
  }
}

async function follow(run, kind) {
  const { signal } = run.controller;
  run.id = (await startJob(kind, upload(), signal)).id;
  let hasPreview = false;
  for await (const job of followJob(run.id, signal)) {
    if (job.state === "failed") throw new Problem(job.error ?? { detail: "The job failed." });
    if (job.state === "cancelled") throw new Problem({ detail: "The job was cancelled.", code: "CANCELLED" });
    if (job.state === "done") return finish(run, job);
    progress.show(job);
    if (!hasPreview && job.artifacts.includes(PREVIEW)) {
      hasPreview = true;
      fetchArtifact(run.id, PREVIEW, signal)
        .then((mask) => run === state.run && compare.showEarly(mask, state.photo))
        .catch(() => {}); // only a foretaste
    }
  }
}

async function finish(run, job) {
  const { signal } = run.controller;
  const file = await fetchResult(job.id, signal);
  const pictures = await fetchPictures(job, file, signal);
  if (run !== state.run) return;
  state.result = { id: job.id, pictures, mesh: job.kind === "mesh" ? file : null, receipt: job.receipt };
  state.run = null;
  compare.showLayers(LAYERS.filter(({ name }) => pictures[name]).map((layer) => ({ ...layer, blob: pictures[layer.name] })), state.photo);
  receipt.show(job.receipt);
  byId("mesh-facts").textContent = receipt.meshFacts(job.receipt.mesh);
  showWhatIsThere();
  progress.end(`Done in ${job.elapsed_s.toFixed(1)} s.`);
  if (state.result.mesh) await mesh.show(file, () => fetchArtifact(job.id, VIEWS));
}

async function fetchPictures(job, file, signal) {
  const names = LAYERS.map(({ name }) => name).filter((name) => job.artifacts.includes(`${name}.png`));
  const blobs = await Promise.all(names.map((name) => fetchArtifact(job.id, `${name}.png`, signal)));
  const pictures = Object.fromEntries(names.map((name, i) => [name, blobs[i]]));
  if (job.kind === "cutout") pictures.cutout ??= file;
  return pictures;
}

function upload() {
  const form = new FormData();
  form.set("file", state.photo.file);
  addSettings(form);
  if (state.ownMask) form.set("mask", state.ownMask, "mask.png");
  return form;
}

/** Leave the run, and let the server forget it. */
function stop() {
  if (!state.run) return;
  state.run.controller.abort();
  if (state.run.id) dropJob(state.run.id);
  state.run = null;
  progress.end("");
  showWhatIsThere();
}

function showProblem(problem) {
  if (problem.status === 401) {
    progress.end("The server wants a token.");
    byId("token").hidden = false;
    byId("token-value").focus();
    return;
  }
  const said = problem instanceof Problem ? { detail: problem.message, code: problem.code, status: problem.status } : { detail: String(problem.message) };
  progress.end("");
  if (UNUSABLE.has(said.code) || said.status === 413) showWorkspace(false);
  problems.show(said, { canRetry: true, canDraw: Boolean(state.photo.url) });
}

/** Show the workspace, or the first page. */
function showWorkspace(isThere) {
  byId("intake").hidden = isThere;
  byId("workspace").hidden = byId("again").hidden = !isThere;
}

function showWhatIsThere() {
  const { result, run, photo } = state;
  byId("workspace").setAttribute("aria-busy", String(run !== null));
  byId("edit").disabled = run !== null || !result || !photo.url;
  byId("save-cutout").disabled = byId("save-mask").disabled = !result;
  for (const button of byId("save-mesh").querySelectorAll("button")) button.disabled = run !== null || !result?.mesh;
  byId("own-mask").hidden = !state.ownMask;
  if (!result) byId("mesh-facts").textContent = "";
}

// ── the brush ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function editMask() {
  const final = state.result?.pictures.hybrid;
  const { width, height } = workingSize(state.photo);
  const alpha = final ? await alphaOfGrey(final) : blank(width, height);
  problems.hide();
  byId("cutout").classList.add("editing");
  byId("looks").hidden = true;
  brush.open(alpha);
}

function leaveBrush() {
  if (!brush.isOpen()) return;
  brush.close();
  byId("cutout").classList.remove("editing");
  byId("looks").hidden = false;
  byId("edit").focus({ preventScroll: true });
}

async function applyBrush() {
  state.ownMask = await brush.picture();
  leaveBrush();
  await start();
}

// ── downloads ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function saveMask() {
  const cutout = await createImageBitmap(state.result.pictures.cutout);
  // The cutout's own alpha is the mask at full size; a browser that cannot hold that much gives the working one.
  const mask = await greyOfAlpha(cutout).catch(() => state.result.pictures.hybrid);
  save(mask, `${state.photo.stem}-mask.png`);
}

/** The mesh once more in another format: mask and depth are known to the server by now. */
async function saveMesh(button) {
  const { format } = button.dataset;
  if (format === "glb") {
    save(state.result.mesh, `${state.photo.stem}.glb`);
    return;
  }
  const form = upload();
  form.set("format", format);
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  const waiting = new AbortController();
  try {
    const { id } = await startJob("mesh", form, waiting.signal);
    for await (const job of followJob(id, waiting.signal)) {
      if (job.state === "failed") throw new Problem(job.error);
      if (job.state === "done") save(await fetchResult(id, waiting.signal), job.result.name);
    }
    dropJob(id);
  } catch (error) {
    showProblem(error);
  } finally {
    button.removeAttribute("aria-busy");
    showWhatIsThere();
  }
}

// ── what is listened to ────────────────────────────────────────────────────────────────────────────────────────────

listenForPhotos(take);
listenForSettings(() => {
  if (!state.photo) return;
  leaveBrush();
  start();
});
problems.listenForWaysOut(start, editMask);
byId("cancel").addEventListener("click", () => {
  stop();
  progress.end("Cancelled.");
  problems.show({ detail: "Cancelled." }, { canRetry: true, canDraw: false });
});
byId("again").addEventListener("click", () => {
  stop();
  leaveBrush();
  problems.hide();
  showWorkspace(false);
  byId("pick").focus();
});
byId("edit").addEventListener("click", editMask);
byId("brush-leave").addEventListener("click", leaveBrush);
byId("brush-apply").addEventListener("click", applyBrush);
byId("drop-mask").addEventListener("click", () => {
  state.ownMask = null;
  start();
});
byId("token").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token-value").value.trim());
  start();
});
byId("save-cutout").addEventListener("click", () => save(state.result.pictures.cutout, `${state.photo.stem}-cutout.png`));
byId("save-mask").addEventListener("click", saveMask);
byId("save-mesh").addEventListener("click", (event) => {
  if (event.target.dataset.format) saveMesh(event.target);
});
byId("save-receipt").addEventListener("click", () => {
  const text = JSON.stringify(state.result.receipt, null, 1);
  save(new Blob([text], { type: "application/json" }), `${state.photo.stem}.json`);
});
window.addEventListener("pagehide", () => {
  if (state.run?.id) dropJob(state.run.id);
});
