/**
 * Text to token ids with a Unigram `tokenizer.json`, as the `tokenizers` library does it, with special tokens in a
 * text read as text.
 *
 * The packages of that kind on npm tell no offsets, without which a token does not lead back to the text.
 */

import { BundleError } from "./errors.js";
import { align, normalizer } from "./normalizer.js";

// By how much a character that no piece has is worse than the worst piece.
const UNKNOWN_PENALTY = 10;

/**
 * A text's tokens without special tokens: token i stands for the code points from `starts[i]` to before `ends[i]`.
 * @typedef {{ids: number[], starts: number[], ends: number[]}} Tokens
 * @typedef {import("./normalizer.js").Aligned} Aligned
 * @typedef {{ids: number[], types: number[]}} Specials
 */

export class Tokenizer {
  /**
   * @param {any} document The content of a `tokenizer.json`.
   * @throws {BundleError} If this code does not know such a tokenizer.
   */
  constructor(document) {
    const { model } = document;
    if (model.type !== "Unigram" || model.byte_fallback) {
      throw new BundleError(`tokenizer.json: the model ${model.type} is not known here; export the folder again`);
    }
    this._normalize = normalizer(document.normalizer);
    this._split = preTokenizer(document.pre_tokenizer);
    this._model = new Unigram(model.vocab, model.unk_id);
    this.templates = templates(document.post_processor);
    const { pair, single } = this.templates;
    /** @type {Map<string, number>} */
    const names = new Map(document.added_tokens.map((/** @type {any} */ token) => [token.content, token.id]));
    const named = (/** @type {string[]} */ list) =>
      list.map((name) => names.get(name) ?? this._model.find(name)).find((id) => id !== undefined);
    /** Padding is masked out, so any valid id will do where there is none. */
    this.padId = named(["<pad>", "[PAD]", "<|pad|>"]) ?? 0;
    this._unknownId = named(["<unk>", "[UNK]"]) ?? this.padId;
    this._specials = new Set([
      ...document.added_tokens.filter((/** @type {any} */ token) => token.special).map((/** @type {any} */ token) => token.id),
      ...[pair.before, pair.between, pair.after, single.before, single.after].flatMap((part) => part.ids),
    ]);
  }

  /**
   * @param {string} text A well-formed text.
   * @returns {Tokens} Its tokens; what reads as a special token becomes unknown.
   */
  tokenize(text) {
    /** @type {Tokens} */
    const tokens = { ids: [], starts: [], ends: [] };
    for (const word of this._split(this._normalize(align(text)))) {
      let start = 0;
      for (const { id, end } of this._model.cut(word.text)) {
        tokens.ids.push(this._specials.has(id) ? this._unknownId : id);
        tokens.starts.push(word.starts[start]);
        tokens.ends.push(word.ends[end - 1]);
        start = end;
      }
    }
    return tokens;
  }
}

/**
 * @param {any} step The `pre_tokenizer` of a `tokenizer.json`.
 * @returns {(from: Aligned) => Aligned[]} What cuts a text into words.
 */
function preTokenizer(step) {
  if (step.type === "Sequence") {
    /** @type {((from: Aligned) => Aligned[])[]} */
    const steps = step.pretokenizers.map(preTokenizer);
    return (from) => steps.reduce((words, apply) => words.flatMap(apply), [from]);
  }
  if (step.type === "WhitespaceSplit") return (from) => pieces(from, /[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/gu);
  if (step.type === "Metaspace" && step.split && step.prepend_scheme !== "first") {
    return (from) => metaspace(from, step.replacement, step.prepend_scheme === "always");
  }
  throw new BundleError(`tokenizer.json: the pre-tokenizer ${step.type} is not known here; export the folder again`);
}

/**
 * @param {Aligned} from A text.
 * @param {string} sign What stands for a space; one UTF-16 unit.
 * @param {boolean} always Whether a text that begins without one gets one.
 * @returns {Aligned[]} The text cut before each sign.
 */
function metaspace(from, sign, always) {
  if (from.text === "") return [];
  let { text, starts, ends } = from;
  text = text.replaceAll(" ", sign);
  if (always && !text.startsWith(sign)) {
    text = sign + text;
    starts = [starts[0], ...starts];
    ends = [ends[0], ...ends];
  }
  return pieces({ text, starts, ends }, new RegExp(`${sign}[^${sign}]*|[^${sign}]+`, "gu"));
}

/**
 * @param {Aligned} from
 * @param {RegExp} pattern
 * @returns {Aligned[]} What matches.
 */
function pieces(from, pattern) {
  return Array.from(from.text.matchAll(pattern), (match) => {
    const end = match.index + match[0].length;
    return { text: match[0], starts: from.starts.slice(match.index, end), ends: from.ends.slice(match.index, end) };
  });
}

/** The unigram language model of Kudo (2018): of all ways to cut a word into pieces the likeliest. */
class Unigram {
  /**
   * @param {[string, number][]} vocabulary Pieces and the logarithms of their probabilities, by id.
   * @param {number} unknownId What a character is that no piece has.
   */
  constructor(vocabulary, unknownId) {
    this._unknownId = unknownId;
    this._scores = vocabulary.map(([, score]) => score);
    this._unknownScore = this._scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
    // Of each piece its id, of each beginning of a piece that is none itself -1.
    /** @type {Map<string, number>} */
    this._pieces = new Map();
    for (const [id, [piece]] of vocabulary.entries()) {
      let beginning = "";
      for (const character of piece) {
        beginning += character;
        if (!this._pieces.has(beginning)) this._pieces.set(beginning, -1);
      }
      this._pieces.set(piece, id);
    }
  }

  /**
   * @param {string} piece
   * @returns {number | undefined} Its id.
   */
  find(piece) {
    const id = this._pieces.get(piece);
    return id === -1 ? undefined : id;
  }

  /**
   * @param {string} word A word.
   * @returns {{id: number, end: number}[]} Its pieces and the UTF-16 unit behind each. Unknown characters beside each
   *   other are one.
   */
  cut(word) {
    const size = word.length;
    const best = new Float64Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const ids = new Int32Array(size + 1);
    const reach = (/** @type {number} */ end, /** @type {number} */ start, /** @type {number} */ id, /** @type {number} */ score) => {
      if (from[end] !== -1 && score <= best[end]) return;
      best[end] = score;
      from[end] = start;
      ids[end] = id;
    };
    const width = (/** @type {number} */ at) => (/** @type {number} */ (word.codePointAt(at)) > 0xffff ? 2 : 1);
    for (let start = 0; start < size; start += width(start)) {
      const first = start + width(start);
      let single = false;
      for (let end = first; end <= size; end += width(end)) {
        const id = this._pieces.get(word.slice(start, end));
        if (id === undefined) break;
        if (id >= 0) {
          reach(end, start, id, this._scores[id] + best[start]);
          single ||= end === first;
        }
        if (end === size) break;
      }
      if (!single) reach(first, start, this._unknownId, this._unknownScore + best[start]);
    }
    const found = [];
    for (let end = size; end > 0; end = from[end]) {
      const last = found.at(-1);
      if (ids[end] === this._unknownId && last?.id === this._unknownId) last.start = from[end];
      else found.push({ id: ids[end], start: from[end], end });
    }
    // What is unknown character by character may be known as a whole.
    return found.reverse().map(({ id, start, end }) => ({
      id: id === this._unknownId ? (this.find(word.slice(start, end)) ?? id) : id,
      end,
    }));
  }
}

/**
 * The special tokens around texts, and the segment of each text's tokens.
 * @typedef {object} Templates
 * @property {{before: Specials, between: Specials, after: Specials, typeA: number, typeB: number}} pair Of two texts.
 * @property {{before: Specials, after: Specials, type: number}} single Of one text.
 */

/**
 * @param {any} processor The `post_processor` of a `tokenizer.json`.
 * @returns {Templates}
 */
function templates(processor) {
  if (processor?.type !== "TemplateProcessing") {
    throw new BundleError(`tokenizer.json: the post-processor ${processor?.type} is not known here; export the folder again`);
  }
  const pair = template(processor.pair, processor.special_tokens);
  const single = template(processor.single, processor.special_tokens);
  const [before, between, after] = pair.parts;
  const [typeA, typeB] = pair.types;
  const [first, last] = single.parts;
  return { pair: { before, between, after, typeA, typeB }, single: { before: first, after: last, type: single.types[0] } };
}

/**
 * @param {any[]} items Of a template.
 * @param {any} specials Of the `post_processor`, by name.
 * @returns {{parts: Specials[], types: number[]}} The special tokens before, between and behind the texts, and the
 *   segment of each text.
 */
function template(items, specials) {
  /** @type {Specials[]} */
  const parts = [{ ids: [], types: [] }];
  /** @type {number[]} */
  const types = [];
  for (const item of items) {
    if (item.Sequence) {
      types.push(item.Sequence.type_id);
      parts.push({ ids: [], types: [] });
    } else {
      for (const id of specials[item.SpecialToken.id].ids) {
        const part = /** @type {Specials} */ (parts.at(-1));
        part.ids.push(id);
        part.types.push(item.SpecialToken.type_id);
      }
    }
  }
  return { parts, types };
}
