// What went wrong, in the server's own sentence, and what can be done about it.

const HINTS = {
  INVALID_IMAGE: "Choose a JPEG, PNG, WebP, TIFF, HEIC or AVIF photo.",
  IMAGE_TOO_LARGE: "Make the picture smaller and try again.",
  NO_SUBJECT: "Choose a photo in which the subject stands apart, or draw the mask yourself.",
  INVALID_OPTION: "Change the setting; the photo is kept.",
  UNREACHABLE: "Check the connection; the photo is kept.",
  LOST: "The photo is kept; try again.",
};
const HINTS_BY_STATUS = {
  404: "The server has forgotten this job; try again.",
  413: HINTS.IMAGE_TOO_LARGE,
  429: "Many photos are being worked on; try again in a moment.",
  503: "A part of the system is not there at the moment; try again soon.",
  504: "It took too long; try again, or choose the fast quality.",
};
const FINAL = new Set(["INVALID_IMAGE", "IMAGE_TOO_LARGE", "NO_SUBJECT", "INVALID_OPTION"]); // trying again changes nothing

const box = document.getElementById("problem");
const what = document.getElementById("problem-what");
const hint = document.getElementById("problem-hint");
const retry = document.getElementById("problem-retry");
const draw = document.getElementById("problem-draw");

document.getElementById("problem-close").addEventListener("click", hide);

/** Show a problem ({detail, code, status}), with the ways out that fit. */
export function show({ detail, code = "", status = 0 }, { canRetry, canDraw }) {
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  what.textContent = /[.!?]$/.test(text) ? text : `${text}.`;
  hint.textContent = HINTS[code] ?? HINTS_BY_STATUS[status] ?? "";
  retry.hidden = !canRetry || FINAL.has(code) || status === 413;
  draw.hidden = !canDraw || code !== "NO_SUBJECT";
  box.hidden = false;
}

export function hide() {
  box.hidden = true;
}

/** Call `again()` and `byHand()` when their buttons are pressed. */
export function listenForWaysOut(again, byHand) {
  retry.addEventListener("click", again);
  draw.addEventListener("click", byHand);
}
