// What is said. It knows neither the host nor WebAssembly, so `node --test` tests it natively.

/** The message about a batch. */
export function message(listing, assets) {
  const failed = assets.filter((asset) => asset.problem !== undefined);
  const lines = failed.slice(0, 5).map((asset) => `${asset.key.split('/').pop()}: ${asset.problem.code}`);
  const more = failed.length > 5 ? [`and ${failed.length - 5} more`] : [];
  return [`Listing ${listing}: ${assets.length} files, ${failed.length} failed`, ...lines, ...more].join('\n');
}

/** What an answer means: undefined if the message has arrived, or the failure of this stage. */
export function verdict(status) {
  if (status >= 200 && status < 300) return undefined;
  const busy = status === 429 || status >= 500;
  return { tag: busy ? 'transient' : 'denied', val: `the chat service answered ${status}` };
}

/** The settings. Throws the failure of this stage if one does not fit. */
export function readConfig(text) {
  const { url, channel } = JSON.parse(text);
  for (const [name, value] of Object.entries({ url, channel })) {
    if (typeof value !== 'string') throw { tag: 'invalid-input', val: `config.${name} is missing` };
  }
  return { url, channel };
}
