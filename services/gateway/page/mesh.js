// The mesh's panel: the viewer where it can be had, six rendered views where not.

import { open } from "./viewer.js";

const panel = document.getElementById("mesh");
const canvas = document.getElementById("viewer");
const tools = document.getElementById("viewer-tools");
const empty = document.getElementById("mesh-empty");
const views = document.getElementById("views");
const viewsPicture = document.getElementById("views-picture");
const viewsWhy = document.getElementById("views-why");

let opening = null; // the viewer, or the wait for it

/** Show or hide the whole panel. */
export function setWanted(isWanted) {
  panel.hidden = !isWanted;
}

/** Forget the mesh of the photo before. */
export function clear() {
  canvas.hidden = views.hidden = tools.hidden = true;
  empty.hidden = false;
  opening?.then((viewer) => viewer.forget()).catch(() => {});
}

/** Show `glb`; where no viewer is, what `fetchViews` brings. */
export async function show(glb, fetchViews) {
  empty.hidden = true;
  canvas.hidden = false; // it has a size only where it is shown
  try {
    opening ??= open();
    const viewer = await opening;
    await viewer.show(glb);
    tools.hidden = false;
  } catch (error) {
    canvas.hidden = true;
    await showViews(error, fetchViews);
  }
}

async function showViews(error, fetchViews) {
  const isMissing = error instanceof TypeError; // a module that is not there
  viewsWhy.textContent = isMissing
    ? "The 3D viewer was not built on this server (make web); these are six views."
    : "This browser shows no 3D; these are six views.";
  URL.revokeObjectURL(viewsPicture.src);
  viewsPicture.src = URL.createObjectURL(await fetchViews());
  views.hidden = false;
}

function toggle(id, apply) {
  const button = document.getElementById(id);
  button.addEventListener("click", async () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    apply(await opening, isOn);
  });
}

toggle("wireframe", (viewer, isOn) => viewer.setWireframe(isOn));
toggle("clay", (viewer, isOn) => viewer.setClay(isOn));
document.getElementById("reset-view").addEventListener("click", async () => (await opening).reset());
