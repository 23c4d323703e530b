// The photo to the left of a divider, what was made of it to the right: the cutout, or one of the masks on its way.

import { alphaOfGrey, blank } from "./masks.js";

const frame = document.getElementById("frame");
const before = document.getElementById("before");
const early = document.getElementById("early");
const after = document.getElementById("after");
const afterPicture = document.getElementById("after-picture");
const divider = document.getElementById("divider");
const split = document.getElementById("split");
const layersRow = document.getElementById("layers");
const backgrounds = document.getElementById("backgrounds");

let urls = []; // of the layers shown now

split.addEventListener("input", () => frame.style.setProperty("--split", `${split.value}%`));
backgrounds.addEventListener("change", (event) => {
  after.className = `layer after ${event.target.value}`;
});
after.classList.add("checker");

/** Show a new photo and nothing else. */
export function showPhoto(photo) {
  showLayers([], photo);
  setShape(photo.width || 4, photo.height || 3);
  before.src = photo.url;
  before.hidden = !photo.url;
  early.hidden = true;
  frame.classList.remove("dim");
}

/** Show a mask that is still being worked on: the photo fades where it is black. */
export async function showEarly(mask, photo) {
  if (!photo.url || !after.hidden) return;
  const alpha = await alphaOfGrey(mask);
  const picture = blank(alpha.width, alpha.height);
  const context = picture.getContext("2d");
  context.drawImage(before, 0, 0, alpha.width, alpha.height);
  context.globalCompositeOperation = "destination-in";
  context.drawImage(alpha, 0, 0);
  early.width = alpha.width;
  early.height = alpha.height;
  early.getContext("2d").drawImage(picture, 0, 0);
  early.hidden = false;
  frame.classList.add("dim");
}

/**
 * Show what was made, the first layer to begin with, or the one that was looked at before.
 *
 * @param {{name: string, caption: string, alt: string, blob: Blob}[]} layers
 */
export function showLayers(layers, photo) {
  const chosen = layersRow.querySelector("input:checked")?.value;
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = layers.map(({ blob }) => URL.createObjectURL(blob));
  layersRow.querySelectorAll("label").forEach((label) => label.remove());
  layersRow.append(...layers.map((layer, i) => choice(layer, urls[i])));
  early.hidden = true;
  frame.classList.remove("dim");
  after.hidden = layers.length === 0;
  split.hidden = divider.hidden = layers.length === 0 || !photo.url;
  frame.style.setProperty("--split", photo.url ? `${split.value}%` : "0%");
  if (layers.length === 0) return;
  const at = Math.max(0, layers.findIndex((layer) => layer.name === chosen));
  layersRow.querySelectorAll("input")[at].checked = true;
  look(layers[at], urls[at], photo);
  layersRow.onchange = (event) => {
    const i = layers.findIndex((layer) => layer.name === event.target.value);
    look(layers[i], urls[i], photo);
  };
}

function look(layer, url, photo) {
  afterPicture.src = url;
  afterPicture.alt = layer.alt;
  backgrounds.disabled = layer.name !== "cutout"; // the masks are opaque
  // A photo that the browser cannot show still has a cutout with a shape.
  if (!photo.url) afterPicture.onload = () => setShape(afterPicture.naturalWidth, afterPicture.naturalHeight);
}

function setShape(width, height) {
  frame.style.setProperty("--ratio", width / height);
}

function choice({ name, caption }, url) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "radio";
  input.name = "layer";
  input.value = name;
  const picture = document.createElement("img");
  picture.src = url;
  picture.alt = "";
  const text = document.createElement("span");
  text.textContent = caption;
  label.append(input, picture, text);
  return label;
}
