// Thumbnails as a Node function makes them: `node sharp.mjs pipelines|cascade FOLDER` prints the milliseconds per photo,
// reading left out. "pipelines" decodes every photo once for each size, as such code is commonly written; "cascade" decodes
// it once, at the largest size, and makes the smaller ones of that: Sharp at its best.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import os from "node:os";

const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "stagehost-tests/cold-start/");
const sharp = createRequire(cache)("sharp");
sharp.concurrency(1);
sharp.cache(false);

const [how, folder] = process.argv.slice(2);
const photos = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name)));
const sizes = [[1280, 960], [640, 480], [320, 240]];
const fit = { fit: "inside", withoutEnlargement: true };
const jpeg = { quality: 85, progressive: true };

const ways = {
  async pipelines(photo) {
    for (const [width, height] of sizes) await sharp(photo).rotate().resize(width, height, fit).jpeg(jpeg).toBuffer();
  },
  async cascade(photo) {
    const { data, info } = await sharp(photo).rotate().resize(...sizes[0], fit).raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    for (const [width, height] of sizes) await sharp(data, raw).resize(width, height, fit).jpeg(jpeg).toBuffer();
  },
};

async function round() {
  const begun = process.hrtime.bigint();
  for (const photo of photos) await ways[how](photo);
  return Number(process.hrtime.bigint() - begun) / 1e6 / photos.length;
}

await round();
console.log((await round()).toFixed(1));
