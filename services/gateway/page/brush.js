// The mask under a brush: add, remove, undo, start over. What will go is tinted.

import { blank, greyOfAlpha } from "./masks.js";

const TINT = "rgb(190 18 60 / 0.62)";
const UNDO_STEPS = 12; // each holds a whole mask
const KEY_STEP = 0.5; // of the brush's size
const SIZE_STEP = 8;

const canvas = document.getElementById("brush");
const ring = document.getElementById("brush-ring");
const size = document.getElementById("brush-size");
const undo = document.getElementById("brush-undo");
const startOver = document.getElementById("brush-reset");
const tools = document.getElementById("brush-tools");

let mask = null; // white canvas whose alpha is the mask
let found = null; // the mask as it came
let past = [];
let at = { x: 0, y: 0 }; // the brush, in mask pixels
let isDown = false;

/** Begin to edit `alpha`, a white canvas whose alpha is the mask; it is not written to. */
export function open(alpha) {
  found = alpha;
  past = [];
  mask = copy(alpha);
  canvas.width = alpha.width;
  canvas.height = alpha.height;
  at = { x: alpha.width / 2, y: alpha.height / 2 };
  canvas.hidden = tools.hidden = false;
  draw();
  showRing();
  canvas.focus({ preventScroll: true });
}

export function close() {
  canvas.hidden = ring.hidden = tools.hidden = true;
  mask = found = null;
  past = [];
}

export function isOpen() {
  return mask !== null;
}

/** Return the mask as a grey PNG. */
export function picture() {
  return greyOfAlpha(mask);
}

startOver.addEventListener("click", () => {
  remember();
  mask = copy(found);
  draw();
});
undo.addEventListener("click", stepBack);
size.addEventListener("input", showRing);
canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  remember();
  isDown = true;
  at = pointOf(event);
  stroke(at, at);
});
canvas.addEventListener("pointermove", (event) => {
  const steps = event.getCoalescedEvents?.() ?? [];
  for (const one of steps.length ? steps : [event]) {
    const to = pointOf(one);
    if (isDown) stroke(at, to);
    at = to;
  }
  showRing();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { isDown = false; });
canvas.addEventListener("keydown", (event) => {
  if (press(event)) event.preventDefault();
});
new ResizeObserver(showRing).observe(canvas);

function press(event) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (ways[event.key]) move(...ways[event.key], event.shiftKey);
  else if (event.key === " ") dab();
  else if (event.key === "[") resize(-SIZE_STEP);
  else if (event.key === "]") resize(SIZE_STEP);
  else if (event.key === "x" || event.key === "X") switchMode();
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) stepBack();
  else if (event.key === "Escape") document.getElementById("brush-leave").click();
  else return false;
  return true;
}

function move(right, down, paints) {
  const step = Math.max(2, brushPx() * KEY_STEP);
  const to = {
    x: Math.min(mask.width, Math.max(0, at.x + right * step)),
    y: Math.min(mask.height, Math.max(0, at.y + down * step)),
  };
  if (paints) {
    remember();
    stroke(at, to);
  }
  at = to;
  showRing();
}

function dab() {
  remember();
  stroke(at, at);
}

function resize(by) {
  size.value = Number(size.value) + by;
  showRing();
}

function switchMode() {
  const [add, remove] = tools.querySelectorAll("[name=brush]");
  (add.checked ? remove : add).checked = true;
}

function stroke(from, to) {
  const context = mask.getContext("2d");
  const removes = tools.querySelector("[name=brush]:checked").value === "remove";
  context.globalCompositeOperation = removes ? "destination-out" : "source-over";
  context.strokeStyle = "#fff";
  context.lineCap = "round";
  context.lineWidth = brushPx();
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y + 0.01); // a line of no length is not drawn by every browser
  context.stroke();
  draw();
}

function remember() {
  past.push(copy(mask));
  if (past.length > UNDO_STEPS) past.shift();
}

function stepBack() {
  if (past.length === 0) return;
  mask = past.pop();
  draw();
}

function draw() {
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "copy";
  context.fillStyle = TINT;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(mask, 0, 0);
  undo.disabled = startOver.disabled = past.length === 0;
}

// The slider speaks of pixels on the screen, the mask has its own.
function brushPx() {
  const shown = canvas.getBoundingClientRect().width || canvas.width;
  return (Number(size.value) * canvas.width) / shown;
}

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  return { x: ((event.clientX - box.left) / box.width) * canvas.width, y: ((event.clientY - box.top) / box.height) * canvas.height };
}

function showRing() {
  ring.hidden = mask === null;
  if (mask === null) return;
  ring.style.width = ring.style.height = `${size.value}px`;
  ring.style.left = `${(100 * at.x) / mask.width}%`;
  ring.style.top = `${(100 * at.y) / mask.height}%`;
}

function copy(source) {
  const copied = blank(source.width, source.height);
  copied.getContext("2d", { willReadFrequently: true }).drawImage(source, 0, 0);
  return copied;
}
