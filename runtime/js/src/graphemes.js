/**
 * Spans of whole characters, as readers count them, and in two scripts of whole words.
 * As `lrc_runtime/graphemes.py`, which tells why.
 */

/** @typedef {import("./text.js").Text} Text */
/** @typedef {{start: number, end: number}} Span From a code point to before another. */

// How far a character or a word is followed to either side.
const REACH = 256;
// So many marks may stand with a virama.
const MARKS = 8;
// What a character of a word begins with, script by script.
const LETTERS = ["Cyrillic", "Devanagari"].map((script) => new RegExp(`^(?=\\p{Script=${script}})[\\p{L}\\p{M}]`, "u"));
const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/**
 * Widens a span to whole characters and words, less white space at its ends.
 * @param {Text} context The text.
 * @param {number} start First code point of the span.
 * @param {number} end Code point after its last.
 * @returns {Span} The same span, widened; both ends the same where nothing is left.
 */
export function whole(context, start, end) {
  let first = { start, end: start };
  while (start < end) {
    first = around(context, start);
    if (!isSpace(context, first)) break;
    start = first.end;
  }
  while (start < end) {
    const last = around(context, end - 1);
    if (!isSpace(context, last)) {
      return { start: endOfWord(context, first, -1).start, end: endOfWord(context, last, 1).end };
    }
    end = last.start;
  }
  return { start, end: start };
}

/**
 * @param {Text} context
 * @param {Span} span A character.
 * @param {number} step 1 or -1.
 * @returns {Span} The last character of a word in this direction, of one that holds it; itself where it is in no word.
 */
function endOfWord(context, span, step) {
  for (let steps = 0; steps < REACH; steps += 1) {
    const at = step > 0 ? span.end : span.start - 1;
    if (at < 0 || at >= context.length) break;
    const beside = around(context, at);
    const [one, other] = [span, beside].map(({ start }) => context.slice(start, start + 1));
    if (!LETTERS.some((letter) => letter.test(one) && letter.test(other))) break;
    span = beside;
  }
  return span;
}

/**
 * @param {Text} context
 * @param {number} at A code point.
 * @returns {Span} Where the character that holds it begins and ends.
 */
function around(context, at) {
  let from = at;
  while (from > Math.max(0, at - REACH) && !begins(context, from)) from -= 1;
  let start = from;
  for (const character of characters(context.slice(from, Math.min(at + REACH, context.length)))) {
    const end = start + [...character].length;
    if (end > at) return { start, end };
    start = end;
  }
  throw new Error("no character holds the code point");
}

/** @param {string} text */
function* characters(text) {
  let character = "";
  for (const { segment } of segmenter.segment(text)) {
    if (character && !binds(character, segment)) {
      yield character;
      character = "";
    }
    character += segment;
  }
  if (character) yield character;
}

/**
 * @param {string} left
 * @param {string} right Two clusters that follow each other.
 * @returns {boolean} Whether a virama between them binds them: to a vowel, where UAX 29 knows consonants alone.
 */
function binds(left, right) {
  if (/[\p{L}\p{Z}\p{N}]$/u.test(left) || !/^\p{L}/u.test(right)) return false;
  const marks = [...left].slice(-MARKS);
  return marks.some((_, from) => !parts(`\u0915${marks.slice(from).join("")}${right}`));
}

/**
 * @param {Text} context
 * @param {number} at A code point.
 * @returns {boolean} Whether a character begins here, whatever stands further left.
 */
function begins(context, at) {
  const left = context.slice(at - 1, at);
  return parts(left + context.slice(at, at + 1)) && parts(`a${left}`);
}

/**
 * @param {string} two Two code points.
 * @returns {boolean} Whether they stand apart.
 */
function parts(two) {
  return [...segmenter.segment(two)].length > 1;
}

/**
 * @param {Text} context
 * @param {Span} span
 */
function isSpace(context, { start, end }) {
  for (let at = start; at < end; at += 1) if (context.isSpace(at)) return true;
  return false;
}
