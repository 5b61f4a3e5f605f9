// Thumbnails as they are commonly made: every photo is read from S3 and decoded once for each size, all photos at once. With
// SHARP_CASCADE a photo is decoded once, and the smaller sizes are made of the largest: Sharp at its best.
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";

const s3 = new S3Client({ forcePathStyle: true });
const Bucket = process.env.MEDIA_BUCKET;
const sizes = [[1280, 960], [640, 480], [320, 240]];
const fit = { fit: "inside", withoutEnlargement: true };
const jpeg = { quality: 85, progressive: true };

async function pipelines(photo) {
  const made = ([width, height]) => sharp(photo).rotate().resize(width, height, fit).jpeg(jpeg).toBuffer({ resolveWithObject: true });
  return Promise.all(sizes.map(made));
}

async function cascade(photo) {
  const { data, info } = await sharp(photo).rotate().resize(...sizes[0], fit).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
  const made = ([width, height]) => sharp(data, raw).resize(width, height, fit).jpeg(jpeg).toBuffer({ resolveWithObject: true });
  return Promise.all(sizes.map(made));
}

const make = process.env.SHARP_CASCADE ? cascade : pipelines;

async function thumbnails(asset) {
  const object = await s3.send(new GetObjectCommand({ Bucket, Key: asset.key, IfMatch: asset.etag }));
  const made = await make(await object.Body.transformToByteArray());
  const store = async ({ data, info }, index) => {
    const name = sizes[index].join("x");
    const key = asset.key.replace("/raw/", "/node/").replace(/\.[^.]+$/, `_${name}.jpg`);
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: key, Body: data, ContentType: "image/jpeg" }));
    return { name, key, pixels: { width: info.width, height: info.height }, bytes: data.length, etag: ETag.replaceAll('"', "") };
  };
  return { ...asset, renditions: await Promise.all(made.map(store)) };
}

export async function handler(event) {
  return { ...event.batch, assets: await Promise.all(event.batch.assets.map(thumbnails)) };
}
