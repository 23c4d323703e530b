// The receipt in plain words: what was left out and why, how good the mesh is, what took how long.

const LOST = new Set(["UNAVAILABLE", "TIMEOUT", "INVALID"]);
const STAGE_NAMES = { segmentation: "Subject", depth: "Depth", mesher: "Mesh" };
const STEP_NAMES = { decode: "Reading", fuse: "Fusing", cutout: "Cutout", frame: "Framing", encode: "Writing" };
const SOUND = new Set(["good", "truly_flat"]);
const SHORTEST_SHOWN_S = 0.005;

const card = document.getElementById("receipt");
const words = document.getElementById("receipt-words");
const times = document.querySelector("#receipt-times tbody");
const ran = document.getElementById("receipt-ran");

export function show(receipt) {
  words.replaceChildren(...sentences(receipt).map(sentenceItem));
  times.replaceChildren(...timings(receipt).map((row) => timeRow(row, receipt.total_s)));
  ran.replaceChildren(...whatRan(receipt).flatMap(([name, text]) => [element("dt", name), element("dd", text)]));
  card.hidden = false;
}

export function hide() {
  card.hidden = true;
}

/** Return [{tone, text}]: tone is "good", "warn" or "plain". */
export function sentences(receipt) {
  const said = [];
  if (receipt.verdict) said.push({ tone: SOUND.has(receipt.mesh?.verdict_kind) ? "good" : "warn", text: receipt.verdict });
  for (const warning of receipt.warnings ?? []) said.push({ tone: "warn", text: warning });
  for (const stage of receipt.stages ?? []) {
    const one = ofStage(stage, receipt);
    if (one && !said.some(({ text }) => text === one.text)) said.push(one); // warnings say some of it already
  }
  if (receipt.attempts?.length) said.push({ tone: "plain", text: "made twice, the better mesh was kept" });
  return said.map(({ tone, text }) => ({ tone, text: asSentence(text) }));
}

/** Return one line on the size of the mesh. */
export function meshFacts(mesh) {
  if (!mesh?.faces) return "";
  const parts = [`${mesh.faces.toLocaleString("en")} triangles`, mesh.watertight ? "closed" : "not closed"];
  if (mesh.components > 1) parts.push(`${mesh.components} parts`);
  return parts.join(" · ");
}

/** Return [{name, seconds, note}], stages and steps of the orchestrator, in the order of the work. */
function timings({ stages = [], steps = [] }) {
  const step = (name) => steps.filter((one) => one.step === name).map(({ seconds }) => ({ name: STEP_NAMES[name], seconds }));
  const stage = (name) => stages.filter((one) => one.stage === name).map((one) => ({ name: STAGE_NAMES[name], seconds: one.total_s ?? 0, note: one.cached ? "known already" : "" }));
  const rows = [...step("decode"), ...stage("segmentation"), ...stage("depth"), ...step("fuse"), ...step("cutout"), ...step("frame"), ...stage("mesher"), ...step("encode")];
  return rows.filter((row) => row.seconds >= SHORTEST_SHOWN_S || row.note);
}

function ofStage({ stage, outcome, reason }, { mask }) {
  const isDepth = stage === "depth";
  const plain = (text) => ({ tone: "plain", text });
  if (LOST.has(outcome)) return { tone: "warn", text: `made without ${stage}: ${reason}` };
  if (outcome === "SUPPLIED" && !isDepth && mask?.source === "own_alpha") return plain("the photo was cut out already; its own transparency was used");
  if (outcome === "SUPPLIED") return plain(`the ${isDepth ? "depth" : "mask"} is the one you brought`);
  if (isDepth && outcome === "DISABLED") return plain("made without depth, as asked");
  if (isDepth && mask) return plain(mask.used_depth ? "depth settled the mask where it was unsure" : "depth was there and changed nothing in the mask");
  return null;
}

function whatRan(receipt) {
  const rows = (receipt.stages ?? [])
    .filter(({ report }) => report?.backend)
    .map(({ stage, report }) => [STAGE_NAMES[stage] ?? stage, [report.backend, report.device, ...(report.notes ?? [])].filter(Boolean).join(" · ")]);
  const photo = receipt.photo;
  if (photo?.width) rows.unshift(["Photo", `${photo.width} × ${photo.height} px, ${photo.format}`]);
  if (receipt.total_s) rows.push(["In all", `${receipt.total_s.toFixed(1)} s`]);
  return rows;
}

function sentenceItem({ tone, text }) {
  const item = document.createElement("li");
  // Commands stand between backticks.
  item.append(...text.split("`").map((part, i) => (i % 2 ? element("code", part) : part)));
  item.className = tone;
  return item;
}

function timeRow({ name, seconds, note }, total) {
  const row = document.createElement("tr");
  const label = element("th", name);
  label.scope = "row";
  const share = element("span", "");
  share.style.width = `${(100 * seconds) / Math.max(total, seconds, 0.001)}%`;
  const cell = document.createElement("td");
  cell.append(share);
  row.append(label, cell, element("td", note || `${seconds.toFixed(2)} s`));
  return row;
}

function asSentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function element(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}
