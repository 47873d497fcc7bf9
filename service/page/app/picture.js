// A picture of the visitor's own.

const SIDE = 1024;

/**
 * A picture as it is sent: as it is, or scaled down where it is large. Networks look at far fewer
 * pixels, and outputs come back at the size of what was sent. What this browser cannot open is
 * sent as it is, and the service says what is wrong with it.
 */
export async function openPicture(file) {
  const asIs = { example: null, blob: file, label: file.name, name: file.name, note: "" };
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { ...asIs, url: null };
  }
  const { width, height } = bitmap;
  const scale = SIDE / Math.max(width, height);
  if (scale >= 1) return { ...asIs, url: URL.createObjectURL(file), note: `${width} × ${height}` };
  const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const note = `${width} × ${height}, sent at ${canvas.width} × ${canvas.height}`;
  return { ...asIs, blob, url: URL.createObjectURL(blob), note };
}
