/** Logits to answers: joint span decoding with a null score. As `lrc_runtime/decoding.py`, which tells why. */

import { whole } from "./graphemes.js";

/** @typedef {import("./text.js").Text} Text */
/** @typedef {import("./windows.js").ModelInput} ModelInput */
/** @typedef {import("./calibration.js").Calibration} Calibration */

/**
 * A span of the context: whole characters as readers count them, less white space at its ends.
 * @typedef {object} Answer
 * @property {string} text The answer: `context.slice(utf16Start, utf16End) === text`.
 * @property {number} start First code point.
 * @property {number} end Code point after the last.
 * @property {number} utf16Start First UTF-16 unit.
 * @property {number} utf16End Unit after the last.
 * @property {number} score Probability that this span is right where the context answers.
 * @property {number} noAnswer Probability that the context does not answer the question, the same for all its spans.
 */

// Kept of each window for every answer that is wanted: those of other windows may overlap the best of them.
const SPANS_OF_A_WINDOW = 4;

/** @type {Answer} */
export const NO_ANSWER = Object.freeze({ text: "", start: 0, end: 0, utf16Start: 0, utf16End: 0, score: 0, noAnswer: 1 });

/**
 * @param {ArrayLike<number>} logits
 * @returns {Float64Array} Their log-softmax.
 */
export function logSoftmax(logits) {
  const values = Float64Array.from(logits);
  const greatest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const normaliser = Math.log(values.reduce((sum, value) => sum + Math.exp(value - greatest), 0));
  return values.map((value) => value - greatest - normaliser);
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} log(exp(a) + exp(b)).
 */
function logAddExp(a, b) {
  const greater = Math.max(a, b);
  return greater === -Infinity ? greater : greater + Math.log1p(Math.exp(Math.min(a, b) - greater));
}

/** @typedef {{start: number, end: number, score: number}} Span */

/** Picks the best spans of one context, which do not overlap, window by window, in bounded memory. */
export class SpanSearch {
  /**
   * @param {Text} context The text that the windows were cut from.
   * @param {{max_answer_length: number}} decoding Limits.
   * @param {number} topK Number of answers wanted.
   */
  constructor(context, decoding, topK) {
    this._context = context;
    this._longest = decoding.max_answer_length;
    this._topK = topK;
    // With the logarithm of the odds of each span against "no answer", and of those that any is named.
    /** @type {Map<string, Span>} */
    this._found = new Map();
    this._answers = -Infinity;
  }

  /**
   * Looks at one window.
   * @param {ModelInput} window
   * @param {Float32Array} starts Its start logits.
   * @param {Float32Array} ends Its end logits.
   */
  add(window, starts, ends) {
    const from = window.contextStart;
    const to = from + window.starts.length;
    const startScores = logSoftmax([starts[0], ...starts.subarray(from, to)]);
    const endScores = logSoftmax([ends[0], ...ends.subarray(from, to)]);
    if (![...startScores, ...endScores].every(Number.isFinite)) return;
    const none = startScores[0] + endScores[0];
    // Not below what a double can tell from no answer at all.
    this._answers = logAddExp(this._answers, Math.log(-Math.expm1(Math.min(none, -1e-12))) - none);
    for (const span of this._spans(window, startScores.subarray(1), endScores.subarray(1))) {
      const key = `${span.start}:${span.end}`;
      const score = logAddExp(this._found.get(key)?.score ?? -Infinity, span.score - none);
      this._found.set(key, { ...span, score });
    }
    // Neighbouring windows find the same spans, so more are kept than are wanted.
    if (this._found.size > 32 * this._topK + 64) {
      const kept = this._ranked().slice(0, 16 * this._topK + 32);
      this._found = new Map(kept.map((span) => [`${span.start}:${span.end}`, span]));
    }
  }

  /**
   * @param {Calibration} calibration
   * @param {string} [lang]
   * @returns {Answer[]} At most `topK` spans, best first.
   */
  answers(calibration, lang) {
    const ranked = this._ranked();
    /** @type {Span[]} */
    const chosen = [];
    for (const span of ranked) {
      if (chosen.length === this._topK) break;
      if (chosen.every((other) => apart(span, other))) chosen.push(span);
    }
    if (chosen.length === 0) return [];
    const noAnswer = calibration.noAnswer(ranked[0].score);
    const all = logAddExp(0, this._answers);
    return chosen.map(({ start, end, score }) => ({
      text: this._context.slice(start, end),
      start,
      end,
      utf16Start: this._context.unit(start),
      utf16End: this._context.unit(end),
      score: calibration.confidence(score - all, lang),
      noAnswer,
    }));
  }

  _ranked() {
    return [...this._found.values()].sort((a, b) => b.score - a.score || a.start - b.start || a.end - b.end);
  }

  /**
   * @param {ModelInput} window
   * @param {Float64Array} startScores
   * @param {Float64Array} endScores
   * @returns {Span[]} The best spans of a window that do not overlap.
   */
  _spans(window, startScores, endScores) {
    const count = startScores.length;
    const width = Math.min(this._longest, count);
    // Row i holds the spans that begin at token i, column d those that are d tokens longer than one.
    const scores = new Float64Array(count * width).fill(-Infinity);
    for (let first = 0; first < count; first += 1) {
      for (let extra = 0; extra < width && first + extra < count; extra += 1) {
        scores[first * width + extra] = startScores[first] + endScores[first + extra];
      }
    }
    /** @type {Span[]} */
    const spans = [];
    while (spans.length < SPANS_OF_A_WINDOW * this._topK) {
      const flat = indexOfGreatest(scores);
      const score = scores[flat];
      if (score === -Infinity) break;
      let first = Math.floor(flat / width);
      let last = first + (flat % width);
      const span = { ...whole(this._context, window.starts[first], window.ends[last]), score };
      if (span.start >= span.end) {
        // White space alone, and so is all within.
        for (let inner = first; inner <= last; inner += 1) {
          scores.fill(-Infinity, inner * width, inner * width + last - inner + 1);
        }
        continue;
      }
      if (spans.every((other) => apart(span, other))) spans.push(span);
      // What begins inside it, and what begins before and reaches into it; white space at its ends is not it.
      const isInside = (/** @type {number} */ token) => window.starts[token] < span.end && window.ends[token] > span.start;
      const inside = [...window.starts.keys()].filter(isInside);
      // Characters that the tokenizer drops lie in no token.
      if (inside.length > 0) [first, last] = [inside[0], inside[inside.length - 1]];
      scores.fill(-Infinity, first * width, (last + 1) * width);
      for (let before = Math.max(0, first - width + 1); before < first; before += 1) {
        scores.fill(-Infinity, before * width + first - before, (before + 1) * width);
      }
    }
    return spans;
  }
}

/**
 * @param {{start: number, end: number}} one
 * @param {{start: number, end: number}} other
 */
function apart(one, other) {
  return one.end <= other.start || other.end <= one.start;
}

/** @param {Float64Array} values */
function indexOfGreatest(values) {
  let found = 0;
  for (let index = 1; index < values.length; index += 1) if (values[index] > values[found]) found = index;
  return found;
}
