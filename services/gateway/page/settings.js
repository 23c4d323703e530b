// The settings: read as form fields of the API, and a call when one of them has changed.

const SETTLE_MS = 350; // a slider that is still moving starts nothing
const CUTTING = new Set(["depth_guided", "intersection", "union"]); // strategies that have a depth cut

const form = document.getElementById("settings");
const finerRow = document.getElementById("finer-row");
const strategyRow = document.getElementById("strategy-row");
const percentileRow = document.getElementById("percentile-row");
const percentileValue = document.getElementById("percentile-value");

/** Call `changed()` once the settings have come to rest on something new. */
export function listenForSettings(changed) {
  let timer = 0;
  form.addEventListener("input", () => {
    showWhatApplies();
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  showWhatApplies(); // browsers restore forms
}

/** Return "mesh" or "cutout". */
export function wantedKind() {
  return form.elements.kind.value;
}

/** Add the settings to `upload` as fields of the API. */
export function addSettings(upload) {
  const { preset, depth, finer, strategy, percentile } = form.elements;
  upload.set("preset", preset.value);
  upload.set("depth", depth.checked ? "on" : "off");
  if (!depth.checked) return;
  upload.set("depth_quality", finer.checked ? "high" : "standard");
  upload.set("strategy", strategy.value);
  if (CUTTING.has(strategy.value)) {
    upload.set("depth_percentile", form.elements["percentile-auto"].checked ? "auto" : percentile.value);
  }
}

function showWhatApplies() {
  const { depth, strategy, percentile } = form.elements;
  finerRow.hidden = strategyRow.hidden = !depth.checked;
  percentileRow.hidden = !depth.checked || !CUTTING.has(strategy.value);
  percentile.disabled = form.elements["percentile-auto"].checked;
  percentileValue.textContent = percentile.disabled ? "auto" : `${percentile.value} %`;
}
