// The stage of the conformance suite in JavaScript. README.md in the folder above says what each exercise is.

import * as call from 'toq:media/call@1.0.0';
import * as http from 'toq:media/http@1.0.0';
import * as keys from 'toq:media/keys@1.0.0';
import * as log from 'toq:media/log@1.0.0';
import * as metrics from 'toq:media/metrics@1.0.0';
import * as objects from 'toq:media/objects@1.0.0';
import { Writer } from 'toq:media/object-writer@1.0.0';
import * as ownObjects from 'toq:media/own-objects@1.0.0';
import * as progress from 'toq:media/progress@1.0.0';
import * as tags from 'toq:media/tags@1.0.0';

import { RequestBody } from './exchange.js';

// The key of the object that some exercises write.
const MADE = '51/processed/photo/vertical/a_made.bin';
// How many bytes are read at once, where all are read.
const WINDOW = 1 << 20;

export const assetStage = {
  process(ctx, asset) {
    try {
      const config = JSON.parse(ctx.config);
      const exercise = EXERCISES[config.do];
      if (!exercise) throw { tag: 'invalid-input', val: `no exercise ${config.do}` };
      exercise(asset, ctx, config);
      return asset;
    } catch (error) {
      if (error?.payload?.tag) throw error.payload; // The failure of a host function.
      if (error?.tag) throw error;
      console.error(error?.stack ?? '');
      throw { tag: 'internal', val: String(error) };
    }
  },
};

function note(asset, name, value) {
  asset.attributes.push([name, String(value)]);
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const utf8 = (text) => new TextEncoder().encode(text);
const close = (resource) => resource[Symbol.dispose ?? Symbol.for('dispose')]();

function facts(asset, ctx) {
  note(asset, 'state', call.state());
  note(asset, 'execution', call.execution());
  note(asset, 'started-at', call.startedAt());
  note(asset, 'attempt', call.attempt());
  note(asset, 'config', call.config());
  note(asset, 'trace', call.traceId() ?? '');
  note(asset, 'remaining', call.remainingMs());
  const told = [ctx.state, ctx.execution, ctx.startedAt, ctx.attempt, ctx.config];
  const asked = [call.state(), call.execution(), call.startedAt(), call.attempt(), call.config()];
  note(asset, 'same', told.every((fact, index) => fact === asked[index]));
}

function talk() {
  for (const level of ['error', 'warn', 'info', 'debug', 'trace']) {
    log.write(level, 'a line – with a dash', [['colour', 'grün']]);
  }
  metrics.count('faces', 2n);
  metrics.count('faces', 1n);
  metrics.time('decode', 1.5);
  progress.report(1n, 2n);
  console.log('printed');
  console.error('said aside');
}

function info(asset, found) {
  note(asset, 'key', found.key);
  note(asset, 'bytes', found.bytes);
  note(asset, 'etag', found.etag);
  note(asset, 'content-type', found.contentType ?? 'none');
  note(asset, 'crc32', found.crc32 ?? 'none');
  note(asset, 'fingerprint', found.fingerprint ?? 'none');
}

function ranges(asset) {
  const source = objects.Object.open(asset.key, asset.etag);
  const found = source.info();
  note(asset, 'head', hex(source.read(0n, 4)));
  note(asset, 'tail', hex(source.read(found.bytes - 3n, 100)));
  note(asset, 'back', hex(source.read(7n, 2)));
  note(asset, 'end', hex(source.read(found.bytes, 10)));
  note(asset, 'far', hex(source.read((1n << 64n) - 1n, 10)));
  note(asset, 'none', hex(source.read(0n, 0)));
  info(asset, found);
}

function digest(asset) {
  const digests = objects.digest(asset.key, asset.etag);
  note(asset, 'sha256', digests.sha256);
  note(asset, 'crc32', digests.crc32);
  note(asset, 'bytes', digests.bytes);
  note(asset, 'etag', digests.etag);
}

function compose(asset) {
  const writer = Writer.create(MADE, 'text/plain', 'made 1');
  writer.append(utf8('<'));
  writer.appendObject(asset.key, asset.etag, 2n, 3n);
  writer.append(utf8('>'));
  const made = Writer.finish(writer);
  info(asset, made);
  asset.renditions.push({
    name: 'made', key: made.key, contentType: 'text/plain', pixels: undefined, bytes: made.bytes, etag: made.etag,
    crc32: made.crc32, reused: false,
  });
}

/** Lists what is there page by page, and deletes what it has made. */
function tidy(asset) {
  const writer = Writer.create(MADE, 'text/plain', undefined);
  writer.append(utf8('for a while'));
  const made = Writer.finish(writer);
  let pages = 0;
  let found = 0;
  let after;
  do {
    const page = ownObjects.find('51/processed/', after);
    pages += 1;
    found += page.objects.length;
    const there = ({ key, bytes, etag }) => key === MADE && bytes === 11n && etag === made.etag;
    if (page.objects.some(there)) note(asset, 'made', 'is there');
    after = page.next;
  } while (after !== undefined);
  note(asset, 'pages', pages);
  note(asset, 'found', found);
  ownObjects.remove(MADE, made.etag);
  for (const [name, attempt] of [
    ['again', () => ownObjects.remove(MADE, made.etag)],
    ['upload', () => ownObjects.remove(asset.key, asset.etag)],
    ['other-stage', () => ownObjects.remove('51/processed/000.bin', asset.etag)],
    ['foreign', () => ownObjects.find('52/processed/', undefined)],
    ['everything', () => ownObjects.find('', undefined)],
  ]) {
    note(asset, name, refused(attempt));
  }
  note(asset, 'left', ownObjects.find(MADE, undefined).objects.length);
}

/** Lists until the host refuses. */
function listOn(asset) {
  let lists = 0;
  let end;
  while ((end = refused(() => ownObjects.find('51/raw/', undefined))) === 'nothing') lists += 1;
  note(asset, 'lists', lists);
  note(asset, 'end', end);
}

// Still open at the end of its call.
const left = [];

function abandon(asset) {
  const writer = Writer.create(MADE, 'text/plain', undefined);
  writer.append(utf8('never seen'));
  close(writer);
  // More than may be open at once, so that all must have been closed.
  for (let count = 0; count < 20; count += 1) {
    close(objects.Object.open(asset.key, undefined));
    close(Writer.create(MADE, 'text/plain', undefined));
  }
  left.push(Writer.create(MADE, 'text/plain', undefined));
  left[0].append(utf8('never seen'));
}

/** The name of the failure's case in WIT. */
function refused(attempt) {
  try {
    attempt();
  } catch (error) {
    if (error?.payload?.tag) return error.payload.tag;
    throw error;
  }
  return 'nothing';
}

function refusals(asset) {
  const create = (key, type) => Writer.create(key, type, undefined);
  const appendTooMuch = () => create(MADE, 'text/plain').append(new Uint8Array((4 << 20) + 1));
  for (const [name, attempt] of [
    ['absent', () => objects.stat('51/raw/photo/vertical/none.jpg')],
    ['replaced', () => objects.Object.open(asset.key, 'other')],
    ['foreign', () => objects.stat('52/raw/photo/vertical/a.jpg')],
    ['long-key', () => objects.stat('k'.repeat(1025))],
    ['long-piece', appendTooMuch],
    ['busy', () => objects.stat('51/raw/photo/vertical/busy.jpg')],
    ['upload', () => create(asset.key, 'text/plain')],
    ['tag', () => tags.set(asset.key, 'forbidden', 'yes')],
    ['header', () => create(MADE, 'text/plain\n')],
  ]) {
    note(asset, name, refused(attempt));
  }
}

function fail(asset, ctx, config) {
  throw { tag: config.how, val: 'as the exercise wants it' };
}

function spin() {
  left.push(Writer.create(MADE, 'text/plain', undefined));
  left[0].append(utf8('never seen'));
  for (;;);
}

/** Takes memory until there is no more. */
function hoard() {
  for (;;) left.push(new Uint8Array(1 << 20).fill(1));
}

function copy(asset) {
  const source = objects.Object.open(asset.key, asset.etag);
  const end = source.info().bytes;
  const writer = Writer.create(MADE, 'application/octet-stream', undefined);
  for (let at = 0n; at < end; ) {
    const window = source.read(at, WINDOW);
    at += BigInt(window.length);
    writer.append(window);
    progress.report(at, end);
  }
  info(asset, Writer.finish(writer));
}

function passOn(asset) {
  const writer = Writer.create(MADE, 'application/octet-stream', undefined);
  writer.appendObject(asset.key, asset.etag, 0n, objects.stat(asset.key).bytes);
  info(asset, Writer.finish(writer));
}

function ask(asset, ctx, config) {
  const headers = [['x-asked-by', 'a stage']];
  const answer = http.send({ method: 'POST', url: config.url, headers, body: utf8(asset.key) }, 5000);
  note(asset, 'status', answer.status);
  note(asset, 'body', new TextDecoder().decode(answer.body));
}

function begin(url, bodyBytes) {
  const head = { method: 'POST', url, headers: [['content-type', 'video/mp4']], bodyBytes };
  return http.Exchange.begin(head, 30000);
}

/** Sends a film to a service and stores what comes back. Neither is ever whole in memory. */
function stabilize(url, film, made) {
  const source = objects.Object.open(film, undefined);
  const bodyBytes = source.info().bytes;
  const headers = [['content-type', 'video/mp4']];
  const body = new RequestBody(http.Exchange.begin({ method: 'POST', url, headers, bodyBytes }, 30000));
  for (let at = 0n; at < bodyBytes; at += BigInt(WINDOW)) body.write(source.read(at, WINDOW));
  const answer = body.answer();
  const writer = Writer.create(made, 'video/mp4', undefined);
  for (const piece of answer) writer.append(piece);
  return [answer.status, Writer.finish(writer)];
}

function relay(asset, ctx, config) {
  const [status, made] = stabilize(`${config.url}/film`, asset.key, MADE);
  note(asset, 'status', status);
  info(asset, made);
}

/** The same without a byte of it in the stage's memory. */
function relayObject(asset, ctx, config) {
  const end = objects.stat(asset.key).bytes;
  const body = new RequestBody(begin(`${config.url}/film`, end));
  body.writeObject(asset.key, asset.etag, 0n, end);
  const answer = body.answer();
  note(asset, 'status', answer.status);
  info(asset, answer.store(MADE, 'video/mp4', 'relayed 1'));
  answer.close();
}

function exchangeRefusals(asset, ctx, config) {
  const film = `${config.url}/film`;
  const using = (exchange, use) => {
    try {
      use(exchange);
    } finally {
      close(exchange);
    }
  };
  const asking = (bodyBytes, use) => () => using(begin(film, bodyBytes), use);
  const answered = (path, use) => () =>
    using(begin(config.url + path, 0n), (exchange) => {
      exchange.answer();
      use(exchange);
    });
  const withTheSecretsHeader = () => {
    const headers = [['Authorization', 'Bearer mine']];
    http.Exchange.begin({ method: 'POST', url: film, headers, bodyBytes: undefined }, 5000);
  };
  const fifth = () => {
    const open = [];
    try {
      for (let count = 0; count < 5; count += 1) open.push(begin(film, undefined));
    } finally {
      open.forEach(close);
    }
  };
  for (const [name, attempt] of [
    ['foreign', () => begin('https://other.example/', undefined)],
    ['header', withTheSecretsHeader],
    ['fifth', fifth],
    ['long-piece', asking(undefined, (exchange) => exchange.write(new Uint8Array((4 << 20) + 1)))],
    ['longer', asking(3n, (exchange) => exchange.write(utf8('four')))],
    ['shorter', asking(3n, (exchange) => exchange.answer())],
    ['past-the-end', asking(undefined, (exchange) => exchange.writeObject(asset.key, undefined, 999n, 2n))],
    ['foreign-object',
      asking(undefined, (exchange) => exchange.writeObject('52/raw/photo/vertical/a.jpg', undefined, 0n, 1n))],
    ['early-read', asking(undefined, (exchange) => exchange.read(1))],
    ['late-write', answered('/film', (exchange) => exchange.write(utf8('more')))],
    ['cut', answered('/cut', (exchange) => exchange.read(100))],
    ['cut-object', answered('/cut', (exchange) => exchange.store(MADE, 'text/plain', undefined))],
    ['upload', answered('/film', (exchange) => exchange.store(asset.key, 'text/plain', undefined))],
    ['secret', answered('/echo', (exchange) => exchange.read(100))],
  ]) {
    note(asset, name, refused(attempt));
  }
}

function derive(asset) {
  note(asset, 'derived', keys.derive(asset.key, 'thumb', 'small', 'png'));
  note(asset, 'bundle', keys.bundle('complete'));
  const parts = keys.parse(asset.key);
  note(asset, 'listing', parts.listing);
  note(asset, 'raw', parts.area === 'raw');
  note(asset, 'same-type', parts.mediaType === asset.mediaType);
  note(asset, 'date', parts.date ?? 'none');
  note(asset, 'name', parts.name);
  note(asset, 'no-key', refused(() => keys.parse('x')));
}

const EXERCISES = {
  facts, talk, ranges, digest, compose, tidy, abandon, refusals, fail, spin, hoard, copy, ask,
  relay,
  'relay-object': relayObject,
  'exchange-refusals': exchangeRefusals,
  'list-on': listOn,
  'pass-on': passOn,
  echo() {},
  break() {
    throw new Error('broken on purpose');
  },
  wait() {
    objects.stat('51/raw/photo/vertical/slow.jpg');
  },
  keys: derive,
  tag(asset) {
    tags.set(asset.key, 'kept', 'no');
  },
};
