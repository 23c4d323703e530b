// A photo as the page holds it: the file that is sent, and a picture of it where the browser can show one.

const WORKING_PX = 1024; // longer side at which masks are drawn: the server's own working size

/** Return {file, stem, url, width, height}; `url` is empty and the size 0 for formats this browser cannot show. */
export async function openPhoto(file) {
  const stem = file.name.replace(/\.[^.]*$/, "") || "photo";
  const url = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    URL.revokeObjectURL(url);
    return { file, stem, url: "", width: 0, height: 0 };
  }
  return { file, stem, url, width: picture.naturalWidth, height: picture.naturalHeight };
}

/** Return the size at which a mask of the photo is drawn. */
export function workingSize({ width, height }) {
  const scale = Math.min(1, WORKING_PX / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
