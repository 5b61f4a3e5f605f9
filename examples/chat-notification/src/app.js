// What the host calls.

import { send } from 'toq:media/http@1.0.0';

import { message, readConfig, verdict } from './message.js';

/** How long the chat service may take, in milliseconds. */
const PATIENCE = 5000;

export const batchStage = {
  process(ctx, batch) {
    try {
      const { url, channel } = readConfig(ctx.config);
      const text = message(batch.listing.val, batch.assets);
      const body = new TextEncoder().encode(JSON.stringify({ channel, text }));
      // The host adds `Authorization` with the secret that the pin names. This code never has it.
      const request = { method: 'POST', url, headers: [['content-type', 'application/json']], body };
      const failed = verdict(send(request, PATIENCE).status);
      if (failed) throw failed;
      return { assets: [], bundles: [], files: [], attributes: [], failures: [], note: 'the chat was told' };
    } catch (error) {
      if (error?.payload?.tag) throw error.payload; // The failure of a host function.
      if (error?.tag) throw error;
      console.error(error?.stack ?? '');
      throw { tag: 'internal', val: String(error) };
    }
  },
};
