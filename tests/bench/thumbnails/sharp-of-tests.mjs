// Sharp as `cargo bench --bench cold_start` installs it, on one core and without its cache, and the renditions that are
// compared: `sizes` within boxes, as the stage's defaults, with Sharp's default quality and subsampling.
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "stagehost-tests/cold-start/");
export const sharp = createRequire(cache)("sharp");
sharp.concurrency(1);
sharp.cache(false);

export const sizes = [[1280, 960], [640, 480], [320, 240]];
export const fit = { fit: "inside", withoutEnlargement: true };
export const jpeg = { quality: 85, chromaSubsampling: "4:2:0", progressive: true, mozjpeg: false };

// Returns the renditions as Sharp makes them at its best: one decoded at the largest size, and the others of that.
export async function cascade(photo) {
  const { data, info } = await sharp(photo).rotate().resize(...sizes[0], fit).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
  return Promise.all(sizes.map(([width, height]) => sharp(data, raw).resize(width, height, fit).jpeg(jpeg).toBuffer()));
}
