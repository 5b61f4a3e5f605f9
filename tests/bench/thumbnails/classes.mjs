// Sorts photos into classes, one folder each: `node classes.mjs PHOTOS OUT`. From JPEGs of at least 10 megapixels it makes what
// a class has too few of: widths that listing photographers upload, progressive JPEGs, PNG and lossy WebP.
import fs from "node:fs";
import path from "node:path";
import { sharp } from "./sharp-of-tests.mjs";

const [photos, out] = process.argv.slice(2);
const put = (kind, name, bytes) => {
  fs.mkdirSync(path.join(out, kind), { recursive: true });
  fs.writeFileSync(path.join(out, kind, name), bytes);
};

const large = [];
for (const name of fs.readdirSync(photos).sort()) {
  const bytes = fs.readFileSync(path.join(photos, name));
  const found = await sharp(bytes).metadata();
  const megapixels = (found.width * found.height) / 1e6;
  if (found.format === "jpeg" && found.isProgressive) put("progressive", name, bytes);
  else if (found.format === "jpeg" && megapixels > 18) put("baseline-24mp", name, bytes);
  else if (found.format === "jpeg" && megapixels > 9) put("baseline-12mp", name, bytes);
  else if (found.format === "jpeg") put("baseline-smaller", name, bytes);
  else put(found.format, name, bytes);
  if (found.format === "jpeg" && megapixels > 9) large.push({ stem: path.parse(name).name, bytes });
}

// Saved as editors do, with 4:2:0, upright and without metadata.
const widths = [2048, 2560, 3000];
for (const [i, { stem, bytes }] of large.entries()) {
  const width = widths[i % widths.length];
  const upright = () => sharp(bytes).rotate();
  put("2000-to-3000-wide", `${stem}-${width}.jpg`, await upright().resize({ width }).jpeg({ quality: 90 }).toBuffer());
  if (i < 3) put("progressive", `${stem}-progressive.jpg`, await upright().jpeg({ quality: 90, progressive: true }).toBuffer());
  if (i < 2) put("png", `${stem}.png`, await upright().png({ compressionLevel: 6 }).toBuffer());
  if (i < 2) put("webp", `${stem}.webp`, await upright().webp({ quality: 85 }).toBuffer());
}
