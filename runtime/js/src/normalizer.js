/**
 * Normalisation that knows where each character came from, as the `tokenizers` library does it: what a
 * `tokenizer.json` calls Replace, Precompiled and Sequence.
 */

import { BundleError } from "./errors.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A text on its way through the normaliser. Unit i of `text` stands for the code points of the original from
 * `starts[i]` to before `ends[i]`.
 * @typedef {{text: string, starts: number[], ends: number[]}} Aligned
 * @typedef {(from: Aligned) => Aligned} Normalizer
 */

/**
 * @param {string} text A well-formed text.
 * @returns {Aligned} The text, each character standing for itself.
 */
export function align(text) {
  const starts = [];
  const ends = [];
  let at = 0;
  for (const character of text) {
    for (let unit = 0; unit < character.length; unit += 1) {
      starts.push(at);
      ends.push(at + 1);
    }
    at += 1;
  }
  return { text, starts, ends };
}

/**
 * @param {any} step The `normalizer` of a `tokenizer.json`, or one of its steps.
 * @returns {Normalizer} What it does.
 * @throws {BundleError} If this code does not know it.
 */
export function normalizer(step) {
  if (step === null) return (from) => from;
  if (step.type === "Sequence") {
    /** @type {Normalizer[]} */
    const steps = step.normalizers.map(normalizer);
    return (from) => steps.reduce((text, apply) => apply(text), from);
  }
  if (step.type === "Replace") {
    const pattern = regularExpression(step.pattern);
    return (from) => replace(from, pattern, step.content);
  }
  if (step.type === "Precompiled") {
    const map = new CharacterMap(step.precompiled_charsmap);
    return (from) => precompiled(from, map);
  }
  throw new BundleError(`tokenizer.json: the normaliser ${step.type} is not known here; export the folder again`);
}

/**
 * @param {{Regex?: string, String?: string}} pattern Of a Replace.
 * @returns {RegExp} The same for JavaScript.
 */
function regularExpression({ Regex, String: literal }) {
  // Oniguruma writes \x{00A0} where JavaScript writes \u{00A0}.
  const source = Regex?.replaceAll("\\x{", "\\u{") ?? literal?.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&") ?? "";
  return new RegExp(source, "gu");
}

/**
 * @param {Aligned} from A text.
 * @param {RegExp} pattern What to replace.
 * @param {string} content By what; it stands for what the last character of the match, or the one before, stood for.
 * @returns {Aligned} The new text.
 */
function replace(from, pattern, content) {
  /** @type {Aligned} */
  const to = { text: "", starts: [], ends: [] };
  let last = 0;
  for (const match of from.text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    copy(from, last, match.index, to);
    append(to, content, end > 0 ? from.starts[end - 1] : 0, end > 0 ? from.ends[end - 1] : 0);
    last = end;
  }
  if (last === 0 && to.text === "") return from;
  copy(from, last, from.text.length, to);
  return to;
}

/**
 * @param {Aligned} from
 * @param {number} start
 * @param {number} end
 * @param {Aligned} to
 */
function copy(from, start, end, to) {
  to.text += from.text.slice(start, end);
  for (let unit = start; unit < end; unit += 1) {
    to.starts.push(from.starts[unit]);
    to.ends.push(from.ends[unit]);
  }
}

/**
 * @param {Aligned} to
 * @param {string} text
 * @param {number} start
 * @param {number} end
 */
function append(to, text, start, end) {
  to.text += text;
  for (let unit = 0; unit < text.length; unit += 1) {
    to.starts.push(start);
    to.ends.push(end);
  }
}

// A grapheme of so many bytes of UTF-8 is looked up character by character.
const LONG_GRAPHEME = 6;
// No two of these share a grapheme.
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * @param {Aligned} from A text.
 * @param {CharacterMap} map What becomes what.
 * @returns {Aligned} The text in which each grapheme is replaced by what the map has for its shortest known beginning,
 *   and where it has nothing, or the grapheme is long, each of its characters.
 */
function precompiled(from, map) {
  // Of each new character: how many old ones it stands for beside its own (negative), or whether it is added (1).
  /** @type {string[]} */
  const characters = [];
  /** @type {number[]} */
  const changes = [];
  let modified = false;

  /** @param {string} part @returns {boolean} */
  const mapped = (part) => {
    const found = map.get(part);
    if (found === undefined) return false;
    modified = true;
    const added = [...found];
    const difference = added.length - [...part].length;
    for (const [index, character] of added.entries()) {
      characters.push(character);
      changes.push(index >= added.length - difference ? 1 : 0);
    }
    if (difference < 0 && changes.length > 0) changes[changes.length - 1] += difference;
    return true;
  };

  for (const grapheme of PLAIN.test(from.text) ? from.text : graphemes(from.text)) {
    const single = grapheme.length === 1 || (grapheme.length === 2 && /** @type {number} */ (grapheme.codePointAt(0)) > 0xffff);
    if (!single && encoder.encode(grapheme).length < LONG_GRAPHEME && mapped(grapheme)) continue;
    for (const character of grapheme) {
      if (!mapped(character)) {
        characters.push(character);
        changes.push(0);
      }
    }
  }
  return modified ? transform(from, characters, changes) : from;
}

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** @param {string} text */
function* graphemes(text) {
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/**
 * @param {Aligned} from
 * @param {string[]} characters
 * @param {number[]} changes
 * @returns {Aligned}
 */
function transform(from, characters, changes) {
  /** @type {Aligned} */
  const to = { text: "", starts: [], ends: [] };
  const width = (/** @type {number} */ at) => (/** @type {number} */ (from.text.codePointAt(at)) > 0xffff ? 2 : 1);
  let at = 0;
  for (const [index, character] of characters.entries()) {
    const change = changes[index];
    const source = change > 0 ? at - 1 : at;
    append(to, character, source < 0 ? 0 : from.starts[source], source < 0 ? 0 : from.ends[source]);
    if (change > 0) continue;
    for (let taken = 0; taken <= -change; taken += 1) at += width(at);
  }
  return to;
}

/**
 * SentencePiece's compiled character map: the byte length of a double-array trie, the trie in the format of
 * Darts-clone, and NUL-terminated replacements that its values point at.
 */
class CharacterMap {
  /** @param {string} base64 */
  constructor(base64) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const size = view.getUint32(0, true);
    this._units = Array.from({ length: size / 4 }, (_, index) => view.getUint32(4 + 4 * index, true));
    this._targets = bytes.subarray(4 + size);
    /** @type {Map<string, string | undefined>} */
    this._known = new Map();
  }

  /**
   * @param {string} part A few characters.
   * @returns {string | undefined} What its shortest beginning that the map knows becomes.
   */
  get(part) {
    if (!this._known.has(part)) this._known.set(part, this._search(encoder.encode(part)));
    return this._known.get(part);
  }

  /** @param {Uint8Array} key */
  _search(key) {
    let position = offset(this._units[0]);
    for (const byte of key) {
      if (byte === 0) return undefined;
      position ^= byte;
      const unit = this._units[position];
      if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
      position ^= offset(unit);
      if (unit & 0x100) {
        const start = this._units[position] & 0x7fffffff;
        return decoder.decode(this._targets.subarray(start, this._targets.indexOf(0, start)));
      }
    }
    return undefined;
  }
}

/** @param {number} unit Of a double array. */
function offset(unit) {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
