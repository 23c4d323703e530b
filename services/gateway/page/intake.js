// How a photo comes in: picked, taken, dropped, pasted, or one of the samples.

const SHOWN_TYPES = /^image\//;

/** Call `take(file)` with each photo that comes in. */
export function listenForPhotos(take) {
  for (const id of ["pick", "camera"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => {
      if (input.files.length) take(input.files[0]);
      input.value = ""; // the same photo may come again
    });
  }
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", async () => {
      const name = `${button.dataset.sample}.jpg`;
      const answer = await fetch(`page/samples/${name}`);
      take(new File([await answer.blob()], name, { type: "image/jpeg" }));
    });
  }
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => SHOWN_TYPES.test(one.type));
    if (file) take(file);
  });
  listenForDrops(take);
}

function listenForDrops(take) {
  const veil = document.getElementById("veil");
  let inside = 0; // enter and leave come for every element on the way
  const hasFile = (event) => event.dataTransfer.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!hasFile(event)) return;
    inside += 1;
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!hasFile(event)) return;
    inside -= 1;
    veil.hidden = inside <= 0;
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    veil.hidden = true;
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}
