// The quality and the bytes of thumbnails beside Sharp's: `node quality.mjs PHOTOS BUCKET` compares the renditions in
// BUCKET, the folder of a local run, and those that Sharp makes, with the photo at full size, resized by Lanczos to the same
// size. It prints a line for each size: the peak signal-to-noise ratio in decibels, mean over the photos, and the mean
// number of bytes. (The reference is libvips's own filter, so it rather favours Sharp.)
import fs from "node:fs";
import path from "node:path";
import { cascade, sharp, sizes } from "./sharp-of-tests.mjs";

const [photos, bucket] = process.argv.slice(2);
const files = fs.readdirSync(bucket, { recursive: true }).filter((file) => file.includes(`${path.sep}thumb${path.sep}`));

async function pixels(image, width, height) {
  const { data, info } = await image.removeAlpha().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  if (info.width !== width || info.height !== height) throw new Error(`${info.width}x${info.height} and not ${width}x${height}`);
  return data;
}

function decibels(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += (one[i] - other[i]) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / one.length));
}

const rows = new Map(sizes.map(([w, h]) => [`${w}x${h}`, []]));
for (const name of fs.readdirSync(photos)) {
  const photo = fs.readFileSync(path.join(photos, name));
  const theirs = await cascade(photo);
  // Decoded as it is, because Sharp decodes JPEGs at a fraction where it resizes at once.
  const whole = await sharp(photo).rotate().removeAlpha().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  const raw = { raw: { width: whole.info.width, height: whole.info.height, channels: whole.info.channels } };
  for (const [i, [w, h]] of sizes.entries()) {
    const found = files.filter((file) => path.basename(file) === `${path.parse(name).name}_${w}x${h}.jpg`);
    if (found.length !== 1) throw new Error(`${bucket} has ${found.length} renditions of ${name} for ${w}x${h}`);
    // Each beside a reference of its own size: roundings of odd sizes differ.
    const side = async (file) => {
      const { width, height } = await sharp(file).metadata();
      const wanted = await pixels(sharp(whole.data, raw).resize(width, height, { fit: "fill", kernel: "lanczos3" }), width, height);
      return [decibels(await pixels(sharp(file), width, height), wanted), file.length];
    };
    rows.get(`${w}x${h}`).push([...(await side(fs.readFileSync(path.join(bucket, found[0])))), ...(await side(theirs[i]))]);
    if (process.env.EACH) console.log(name, w, rows.get(`${w}x${h}`).at(-1).map((number) => number.toFixed(2)).join(" "));
  }
}
for (const [size, found] of rows) {
  const mean = (column) => found.reduce((sum, row) => sum + row[column], 0) / found.length;
  const [db, bytes, theirDb, theirBytes] = [0, 1, 2, 3].map(mean);
  console.log(
    `| ${size} | ${db.toFixed(2)} | ${theirDb.toFixed(2)} | ${(db - theirDb).toFixed(2)} |`,
    `${Math.round(bytes)} | ${Math.round(theirBytes)} | ${(bytes / theirBytes).toFixed(3)} |`,
  );
}
