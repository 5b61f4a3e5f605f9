import assert from 'node:assert/strict';
import { test } from 'node:test';

import { message, readConfig, verdict } from '../src/message.js';

test('the first failed files are named', () => {
  const failed = (name) => ({ key: `1/raw/photo/vertical/${name}`, problem: { code: 'Stage.Corrupt' } });
  const assets = [{ key: 'a' }, ...['b', 'c', 'd', 'e', 'f', 'g'].map(failed)];
  const said = message(51n, assets);
  assert.match(said, /^Listing 51: 7 files, 6 failed\nb: Stage.Corrupt\n/);
  assert.match(said, /\nf: Stage.Corrupt\nand 1 more$/);
});

test('a busy service is worth a retry and a refusal is not', () => {
  assert.equal(verdict(204), undefined);
  assert.equal(verdict(429).tag, 'transient');
  assert.equal(verdict(503).tag, 'transient');
  assert.equal(verdict(404).tag, 'denied');
});

test('a setting that is missing is named', () => {
  assert.deepEqual(readConfig('{"url": "https://chat.example/", "channel": "c"}').channel, 'c');
  assert.throws(() => readConfig('{"url": "https://chat.example/"}'), { tag: 'invalid-input', val: 'config.channel is missing' });
});
