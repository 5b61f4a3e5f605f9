// Validation as it is commonly written: the SDK for S3, Sharp for what is in the picture, all files at once.
import { createHash } from "node:crypto";
import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";

const s3 = new S3Client({ forcePathStyle: true });
const Bucket = process.env.MEDIA_BUCKET;

const startsWith = (bytes, at, ...wanted) => wanted.every((byte, index) => bytes[at + index] === byte);

function typeOf(bytes) {
  if (startsWith(bytes, 0, 0xff, 0xd8, 0xff)) return "image/jpeg";
  if (startsWith(bytes, 0, 0x89, 0x50, 0x4e, 0x47)) return "image/png";
  if (startsWith(bytes, 0, 0x52, 0x49, 0x46, 0x46) && startsWith(bytes, 8, 0x57, 0x45, 0x42, 0x50)) return "image/webp";
  return undefined;
}

async function validate(asset) {
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: asset.key }));
  const object = await s3.send(new GetObjectCommand({ Bucket, Key: asset.key, IfMatch: head.ETag }));
  const bytes = await object.Body.transformToByteArray();
  if (bytes.length !== head.ContentLength) throw new Error(`${asset.key}: ${bytes.length} bytes`);
  const contentType = typeOf(bytes);
  if (contentType !== (asset.contentType ?? head.ContentType)) throw new Error(`${asset.key} is ${contentType}`);
  const { width, height, orientation = 1 } = await sharp(bytes).metadata();
  const pixels = orientation > 4 ? { width: height, height: width } : { width, height };
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const etag = head.ETag.replaceAll('"', "");
  return { ...asset, contentType, bytes: bytes.length, etag, sha256, pixels, orientation, verified: true };
}

export async function handler(event) {
  if (event.source === "stagehost.health") return { status: "ok" };
  return { ...event.batch, assets: await Promise.all(event.batch.assets.map(validate)) };
}
