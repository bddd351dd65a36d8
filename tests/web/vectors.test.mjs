// Holds the JavaScript to the golden vectors in the folder LRC_VECTORS. spec/README.md says what each file holds.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";

import { Calibration } from "../../runtime/js/src/calibration.js";
import { InputError } from "../../runtime/js/src/errors.js";
import { whole } from "../../runtime/js/src/graphemes.js";
import { checkLang, findLang } from "../../runtime/js/src/languages.js";
import { KINDS } from "../../runtime/js/src/tasks/kinds.js";
import { Text } from "../../runtime/js/src/text.js";
import { Tokenizer } from "../../runtime/js/src/tokenizer.js";
import { Encoder } from "../../runtime/js/src/windows.js";

const folder = /** @type {string} */ (process.env.LRC_VECTORS);
const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
const WINDOWING = { max_length: 64, stride: 16, max_question_length: 12 };
const encoders = Object.fromEntries(
  ["builtin", "xlmr"].map((name) => [name, new Encoder(new Tokenizer(read(`${name}.tokenizer.json`)), WINDOWING)]),
);
const tokens = ({ tokenizer }, text) => encoders[tokenizer].tokenize(new Text(text));
const flat = ({ ids, starts, ends }) => [ids, starts, ends];
const input = ({ ids, types, contextStart, starts, ends }) => [ids, types, contextStart, starts, ends];
// JSON has no infinity.
const number = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value));
const rows = (values) => ({ data: Float32Array.from(values.flat(), number), dims: [values.length, values[0].length] });
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-8, `${found} for ${expected}`);
const open = (task, encoder, run, described) => KINDS.find((kind) => kind.task === task).open(encoder, run, described);

// Runs a check of every case of a file.
function hold(name, check) {
  test(name, async () => {
    const cases = read(`${name}.json`);
    assert.ok(cases.length);
    for (const one of cases) await check(one, one.expected);
  });
}

for (const name of ["tokens.builtin", "tokens.xlmr"]) {
  hold(name, (one, expected) => assert.deepEqual(flat(tokens(one, one.text)), expected, JSON.stringify(one.text)));
}

hold("long", (one, expected) => {
  const found = flat(tokens(one, one.text.repeat(one.times)));
  assert.equal(found[0].length, expected.tokens);
  assert.equal(createHash("sha256").update(JSON.stringify(found)).digest("hex"), expected.sha256);
});

hold("windows", (one, expected) => {
  const found = encoders[one.tokenizer].windows(tokens(one, one.question), tokens(one, one.context));
  assert.deepEqual(found.map(input), expected);
});

hold("pairs", (one, expected) => {
  assert.deepEqual(input(encoders[one.tokenizer].pair(tokens(one, one.first), tokens(one, one.second))), expected);
});

hold("singles", (one, expected) => {
  assert.deepEqual(input(encoders[one.tokenizer].single(tokens(one, one.text))), expected);
});

hold("spans", async (one, expected) => {
  const batches = [...one.batches];
  const run = async ({ shape, feeds }) => {
    const { input_ids: ids, ...logits } = batches.shift();
    assert.deepEqual([shape, Array.from(feeds.input_ids, Number)], [[ids.length, ids[0].length], ids.flat()]);
    return Object.fromEntries(Object.entries(logits).map(([name, values]) => [name, rows(values)]));
  };
  const described = { decoding: { max_answer_length: one.max_answer_length }, calibration: one.calibration };
  const answerer = open("question-answering", encoders[one.tokenizer], run, described);
  const found = await answerer.answer(one.question, one.context, { topK: one.top_k, lang: one.lang });
  assert.equal(batches.length, 0);
  assert.equal(found.length, expected.length);
  for (const [rank, { text, start, end, utf16_start, utf16_end, score, no_answer }] of expected.entries()) {
    const answer = found[rank];
    assert.deepEqual([answer.text, answer.start, answer.end], [text, start, end]);
    assert.deepEqual([answer.utf16Start, answer.utf16End], [utf16_start, utf16_end]);
    assert.equal(one.context.slice(utf16_start, utf16_end), text);
    near(answer.score, score);
    near(answer.noAnswer, no_answer);
  }
});

hold("labels", async ({ task, texts, labels, calibration, lang, logits }, expected) => {
  const run = async () => ({ logits: rows([logits]) });
  const { verb } = KINDS.find((kind) => kind.task === task);
  const opened = open(task, encoders.builtin, run, { labels, calibration, texts: texts.length });
  const found = await opened[verb](...texts, ...(texts.length === 1 ? [undefined] : []), { lang: lang ?? undefined });
  assert.equal(found.label, expected.label);
  near(found.score, expected.score);
  for (const [label, probability] of expected.probabilities ?? []) near(found.probabilities[label], probability);
  assert.equal(Object.keys(found.probabilities ?? {}).length, expected.probabilities?.length ?? 0);
});

hold("calibration", ({ calibration, log_probability, lang, margin }, expected) => {
  const found = new Calibration(calibration);
  near(found.confidence(log_probability, lang ?? undefined), expected.confidence);
  near(found.noAnswer(margin), expected.no_answer);
});

hold("graphemes", ({ text, spans }, expected) => {
  const asked = new Text(text);
  for (const [at, [start, end]] of spans.entries()) {
    const found = whole(asked, start, end);
    assert.deepEqual([found.start, found.end], expected[at], `${JSON.stringify(text.slice(0, 200))} from ${start} to ${end}`);
  }
});

hold("languages", ({ known, tags }, expected) => {
  for (const [at, tag] of tags.entries()) assert.equal(findLang(tag, known) ?? null, expected[at], `${tag} of ${known}`);
});

hold("refused", (one, expected) => {
  const refuse = () => ("lang" in one ? checkLang(one.lang) : new Text(one.text));
  if (!expected) refuse();
  else assert.throws(refuse, (error) => error instanceof InputError && !error.message.includes("\n"));
});

test("a language that is none is refused before the model runs", async () => {
  const run = async () => assert.fail("was run");
  const described = { decoding: { max_answer_length: 8 }, labels: ["a", "b"], calibration: read("calibration.json")[0].calibration };
  for (const { task, verb } of KINDS) {
    await assert.rejects(open(task, encoders.builtin, run, described)[verb]("a", "b", { lang: "german!" }), InputError);
  }
});

test("a text too many or too few is refused", async () => {
  const run = async () => assert.fail("was run");
  const classifier = (texts) =>
    open("text-classification", encoders.builtin, run, { labels: ["a", "b"], texts, calibration: { languages: {} } });
  await assert.rejects(classifier(1).classify("一", "二", {}), /classifies one text and was given two/);
  await assert.rejects(classifier(2).classify("एक", undefined, {}), /classifies two texts together and was given one/);
  // Two where a folder does not say how many.
  await assert.rejects(classifier(undefined).classify("واحد", undefined, {}), InputError);
});
