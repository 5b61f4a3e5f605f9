// AVIF to the three renditions by Sharp at its best: `node heif.mjs FOLDER` prints the milliseconds per photo, reading left out, and
// the most memory of the process in MiB.
import fs from "node:fs";
import path from "node:path";
import { cascade } from "./sharp-of-tests.mjs";

const folder = process.argv[2];
const photos = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name)));
const begun = process.hrtime.bigint();
for (const photo of photos) await cascade(photo);
const took = Number(process.hrtime.bigint() - begun) / 1e6 / photos.length;
console.log(took.toFixed(1), Math.round(process.resourceUsage().maxRSS / 1024));
