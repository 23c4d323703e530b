// Masks between their two forms: grey pictures outside (white is the subject), alpha of a white canvas inside.

/** Return a canvas of the given size. */
export function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Return a grey picture as a white canvas whose alpha is the grey. */
export async function alphaOfGrey(blob) {
  const picture = await createImageBitmap(blob);
  const canvas = blank(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    pixels.data[i + 3] = pixels.data[i];
    pixels.data[i] = pixels.data[i + 1] = pixels.data[i + 2] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Return the alpha of a canvas or picture as a grey PNG. */
export function greyOfAlpha(source) {
  const canvas = blank(source.width, source.height);
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0);
  context.globalCompositeOperation = "source-in"; // its alpha, all white
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => {
    canvas.toBlob((png) => (png ? done(png) : fail(new Error("this browser cannot write so large a picture"))), "image/png");
  });
}
