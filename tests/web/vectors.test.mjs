// Holds the JavaScript to what the Python runtime wrote into the folder LRC_VECTORS.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";

import { InputError } from "../../runtime/js/src/errors.js";
import { whole } from "../../runtime/js/src/graphemes.js";
import { checkLang, findLang } from "../../runtime/js/src/languages.js";
import { ParaphraseDetector } from "../../runtime/js/src/tasks/pairs.js";
import { QuestionAnswerer } from "../../runtime/js/src/tasks/spans.js";
import { Text } from "../../runtime/js/src/text.js";
import { Tokenizer } from "../../runtime/js/src/tokenizer.js";
import { Encoder } from "../../runtime/js/src/windows.js";

const folder = /** @type {string} */ (process.env.LRC_VECTORS);
const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
const vectors = read("vectors.json");
const encoder = new Encoder(new Tokenizer(read("tokenizer.json")), vectors.windowing);
const flat = ({ ids, starts, ends }) => [ids, starts, ends];
// As Python writes them.
const number = (value) => (value === "inf" ? Infinity : Number(value));
const input = ({ ids, types, contextStart, starts, ends }) => [ids, types, contextStart, starts, ends];

test("tokens and their offsets", () => {
  assert.ok(vectors.tokens.length > 1000);
  for (const [text, expected] of vectors.tokens) {
    assert.deepEqual(flat(encoder.tokenize(new Text(text))), expected, JSON.stringify(text));
  }
});

test("tokens of a text that is taken in parts", () => {
  const [text, expected] = vectors.long;
  assert.deepEqual(flat(encoder.tokenize(new Text(text))), expected);
});

test("windows", () => {
  for (const [question, context, expected] of vectors.windows) {
    const [asked, text] = [question, context].map((one) => encoder.tokenize(new Text(one)));
    assert.deepEqual(encoder.windows(asked, text).map(input), expected);
  }
});

test("pairs", () => {
  for (const [[first, second, offsets], expected] of vectors.pairs) {
    const tokens = { ids: second, starts: offsets.map(([start]) => start), ends: offsets.map(([, end]) => end) };
    assert.deepEqual(input(encoder.pair({ ids: first, starts: [], ends: [] }, tokens)), expected);
  }
});

test("single texts", () => {
  for (const [[ids, offsets], expected] of vectors.singles) {
    const tokens = { ids, starts: offsets.map(([start]) => start), ends: offsets.map(([, end]) => end) };
    assert.deepEqual(input(encoder.single(tokens)), expected);
  }
});

test("labels of pairs and their scores", async () => {
  for (const { first, second, logits, calibration, label, score } of vectors.comparisons) {
    const run = async () => ({ logits: { data: Float32Array.from(logits, number), dims: [1, logits.length] } });
    const pairs = new ParaphraseDetector(encoder, run, { labels: ["different", "paraphrase"], calibration });
    const found = await pairs.compare(first, second, {});
    assert.equal(found.label, label);
    assert.ok(Math.abs(found.score - score) < 1e-9, `${found.score} for ${score}`);
  }
});

test("batches, spans, scores and offsets in both units", async () => {
  for (const vector of vectors.answers) {
    const batches = [...vector.batches];
    const run = async ({ shape, feeds }) => {
      const expected = batches.shift();
      assert.deepEqual(shape, expected.shape);
      for (const [name, values] of Object.entries(feeds)) assert.deepEqual(Array.from(values, Number), expected.feeds[name]);
      const logits = Object.entries(expected.logits);
      const numbers = (values) => Float32Array.from(values, number);
      return Object.fromEntries(logits.map(([name, values]) => [name, { data: numbers(values), dims: shape }]));
    };
    const qa = new QuestionAnswerer(encoder, run, { decoding: { max_answer_length: 8 }, calibration: vector.calibration });
    const found = await qa.answer(vector.question, vector.context, { topK: vector.topK, lang: "hi_IN" });
    assert.equal(batches.length, 0);
    assert.equal(found.length, vector.answers.length);
    for (const [rank, expected] of vector.answers.entries()) {
      const { score, noAnswer, utf16Start, utf16End, ...rest } = found[rank];
      const { text, start, end, utf16_start, utf16_end } = expected;
      assert.deepEqual([rest, utf16Start, utf16End], [{ text, start, end }, utf16_start, utf16_end]);
      assert.equal(vector.context.slice(utf16Start, utf16End), text);
      assert.ok(Math.abs(score - expected.score) < 1e-9 && Math.abs(noAnswer - expected.no_answer) < 1e-9);
    }
  }
});

test("spans of whole characters and words", () => {
  assert.ok(vectors.spans.some(([, start, end, [first, last]]) => first < start || last > end));
  const texts = new Map();
  for (const [text, start, end, expected] of vectors.spans) {
    if (!texts.has(text)) texts.set(text, new Text(text));
    const found = whole(texts.get(text), start, end);
    assert.deepEqual([found.start, found.end], expected, `${JSON.stringify(text.slice(0, 200))} from ${start} to ${end}`);
  }
});

test("tags of languages", async () => {
  for (const [tag, known, expected] of vectors.languages) {
    assert.equal(findLang(tag, known) ?? null, expected, `${tag} of ${known}`);
  }
  for (const tag of ["german!", "", "de-", "-de", "de DE", "dé", "x".repeat(9), `de${"-x".repeat(32)}`, 3, null]) {
    assert.throws(() => checkLang(tag), (error) => error instanceof InputError && !error.message.includes("\n"));
  }
  const run = async () => assert.fail("was run");
  const task = { decoding: { max_answer_length: 8 }, labels: [], calibration: vectors.answers[0].calibration };
  await assert.rejects(new QuestionAnswerer(encoder, run, task).answer("a", "b", { lang: "german!" }), InputError);
  await assert.rejects(new ParaphraseDetector(encoder, run, task).compare("a", "b", { lang: "german!" }), InputError);
});

test("what is no text is refused", () => {
  for (const text of [3, null, "a\ud800b", "\udc00"]) assert.throws(() => new Text(text), InputError);
});
