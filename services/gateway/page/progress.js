// Where a job is: one sentence, a bar, and the stages, the words said aloud only when the stage changes.

const STAGES = {
  mesh: ["Read", "Find", "Depth", "Cut out", "Mesh", "Check"],
  cutout: ["Read", "Find", "Depth", "Cut out"],
};
const SENTENCES = {
  Send: "Sending the photo…",
  Wait: "Waiting for a free place…",
  Read: "Reading the photo…",
  Find: "Finding the subject…",
  Depth: "Settling the mask with depth…",
  "Cut out": "Cutting out the edges…",
  Mesh: "Building the mesh…",
  Check: "Checking the mesh…",
};
const STEPS = { decode: "Read", segment: "Find", fuse: "Depth", mask: "Cut out", cutout: "Cut out", frame: "Cut out" };

const now = document.getElementById("progress-now");
const bar = document.getElementById("progress-bar");
const list = document.getElementById("progress-stages");
const cancel = document.getElementById("cancel");

/** Show that a photo is on its way. */
export function begin(kind) {
  list.replaceChildren(...STAGES[kind].map(stageItem));
  list.hidden = bar.hidden = cancel.hidden = false;
  bar.removeAttribute("value");
  say(SENTENCES.Send);
}

/** Show where `job` is. */
export function show(job) {
  const stage = stageOf(job);
  if (job.state === "running" && job.fraction > 0) bar.value = job.fraction;
  say(SENTENCES[stage]);
  mark(stage);
}

/** Show that it is over, in one sentence. */
export function end(sentence) {
  list.hidden = bar.hidden = cancel.hidden = true;
  say(sentence);
}

/** Return the name of the stage that `job` is in. */
export function stageOf(job) {
  if (job.state === "queued") return "Wait";
  if (job.stage === "mesher") return ["quality", "texture", "export"].includes(job.step) ? "Check" : "Mesh";
  if (job.stage === "depth") return "Depth";
  if (job.step === "encode") return job.kind === "mesh" ? "Check" : "Cut out";
  return STEPS[job.step] ?? (job.stage === "segmentation" ? "Find" : "Read");
}

function stageItem(name) {
  const item = document.createElement("li");
  item.textContent = name;
  return item;
}

function mark(stage) {
  const items = [...list.children];
  const at = items.findIndex((item) => item.textContent === stage);
  items.forEach((item, i) => {
    item.className = i < at ? "past" : i === at ? "present" : "";
    if (i === at) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
}

function say(sentence) {
  if (now.textContent !== sentence) now.textContent = sentence;
}
