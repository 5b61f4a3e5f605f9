// One function for both states, as the host is.
import { handler as validate } from "./validate.mjs";
import { handler as thumbnails } from "./thumbnails.mjs";

const handlers = { ValidateRawAssets: validate, GenerateThumbnails: thumbnails };
export const handler = (event) => handlers[event.state](event);
