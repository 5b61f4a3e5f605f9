// Thumbnails as a Node function makes them: `node sharp.mjs pipelines|cascade FOLDER` prints the milliseconds per photo,
// reading left out. "pipelines" decodes every photo once for each size, as such code is commonly written; "cascade" decodes
// it once, at the largest size, and makes the smaller ones of that: Sharp at its best.
import fs from "node:fs";
import path from "node:path";
import { cascade, fit, jpeg, sharp, sizes } from "./sharp-of-tests.mjs";

const [how, folder] = process.argv.slice(2);
const photos = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name)));

const ways = {
  async pipelines(photo) {
    for (const [width, height] of sizes) await sharp(photo).rotate().resize(width, height, fit).jpeg(jpeg).toBuffer();
  },
  cascade,
};

async function round() {
  const begun = process.hrtime.bigint();
  for (const photo of photos) await ways[how](photo);
  return Number(process.hrtime.bigint() - begun) / 1e6 / photos.length;
}

await round();
console.log((await round()).toFixed(1));
