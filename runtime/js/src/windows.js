/** Text to model input: the templates of one text and of two, sliding windows, padding. As `lrc_runtime/encoding.py`. */

import { BundleError } from "./errors.js";
import { Text } from "./text.js";

// Code points that are tokenized at once.
const PART = 50_000;

/**
 * How text becomes model input, all lengths in tokens; as the manifest of a bundle says it.
 * @typedef {{max_length: number, stride: number, max_question_length: number}} Windowing
 * @typedef {import("./tokenizer.js").Tokens} Tokens
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 */

/**
 * One row of a batch. Token i of the second text, which lies at `contextStart + i`, stands for the code points of its
 * text from `starts[i]` to before `ends[i]`.
 * @typedef {{ids: number[], types: number[], contextStart: number, starts: number[], ends: number[]}} ModelInput
 */

export class Encoder {
  /**
   * @param {Tokenizer} tokenizer
   * @param {Windowing} windowing
   * @throws {BundleError} If the lengths leave no room for a context.
   */
  constructor(tokenizer, windowing) {
    this._tokenizer = tokenizer;
    this._windowing = windowing;
    const { before, between, after } = tokenizer.templates.pair;
    this._specials = before.ids.length + between.ids.length + after.ids.length;
    if (windowing.max_question_length + this._specials + windowing.stride >= windowing.max_length) {
      throw new BundleError(`max_length ${windowing.max_length} leaves no room for a context; export the bundle again`);
    }
  }

  /**
   * Tokenizes a text of any length; a long one in parts that end at white space.
   * @param {Text} text
   * @returns {Tokens}
   */
  tokenize(text) {
    if (text.length <= PART) return this._tokenizer.tokenize(text.text);
    /** @type {Tokens} */
    const all = { ids: [], starts: [], ends: [] };
    for (let start = 0; start < text.length; ) {
      const end = endOfPart(text, start);
      const part = this._tokenizer.tokenize(text.slice(start, end));
      for (let index = 0; index < part.ids.length; index += 1) {
        all.ids.push(part.ids[index]);
        all.starts.push(part.starts[index] + start);
        all.ends.push(part.ends[index] + start);
      }
      start = end;
    }
    return all;
  }

  /**
   * Cuts a context into overlapping windows, each behind the question.
   * @param {Tokens} question Cut off after `max_question_length`.
   * @param {Tokens} context
   * @returns {ModelInput[]} In the order of the text; none for a context without tokens.
   */
  windows(question, context) {
    const ids = question.ids.slice(0, this._windowing.max_question_length);
    const room = this._windowing.max_length - this._specials - ids.length;
    const windows = [];
    for (let start = 0; start < context.ids.length; start += room - this._windowing.stride) {
      windows.push(this._join(ids, context, start, start + room));
      if (start + room >= context.ids.length) break;
    }
    return windows;
  }

  /**
   * Joins two texts; when they are too long together, the longer one is cut first.
   * @param {Tokens} first
   * @param {Tokens} second
   * @returns {ModelInput}
   */
  pair(first, second) {
    const room = this._windowing.max_length - this._specials;
    let a = first.ids.length;
    let b = second.ids.length;
    if (a + b > room) {
      const half = Math.floor(room / 2);
      [a, b] = [Math.min(a, Math.max(half, room - b)), Math.min(b, Math.max(room - half, room - a))];
    }
    return this._join(first.ids.slice(0, a), second, 0, b);
  }

  /**
   * Takes one text in the tokenizer's template for one; cut off where it is too long.
   * @param {Tokens} tokens
   * @returns {ModelInput} With the offsets of this text.
   */
  single(tokens) {
    const { before, after, type } = this._tokenizer.templates.single;
    const room = this._windowing.max_length - before.ids.length - after.ids.length;
    const ids = tokens.ids.slice(0, room);
    return {
      ids: [...before.ids, ...ids, ...after.ids],
      types: [...before.types, ...ids.map(() => type), ...after.types],
      contextStart: before.ids.length,
      starts: tokens.starts.slice(0, room),
      ends: tokens.ends.slice(0, room),
    };
  }

  /**
   * @param {number[]} a
   * @param {Tokens} context
   * @param {number} start
   * @param {number} end
   * @returns {ModelInput}
   */
  _join(a, context, start, end) {
    const { before, between, after, typeA, typeB } = this._tokenizer.templates.pair;
    const b = context.ids.slice(start, end);
    return {
      ids: [...before.ids, ...a, ...between.ids, ...b, ...after.ids],
      types: [...before.types, ...a.map(() => typeA), ...between.types, ...b.map(() => typeB), ...after.types],
      contextStart: before.ids.length + a.length + between.ids.length,
      starts: context.starts.slice(start, end),
      ends: context.ends.slice(start, end),
    };
  }

  /**
   * Pads inputs to the longest.
   * @param {ModelInput[]} inputs
   * @returns {import("./batching.js").Batch}
   */
  collate(inputs) {
    const length = Math.max(...inputs.map((row) => row.ids.length));
    const fill = (/** @type {(row: ModelInput) => number[]} */ values, /** @type {number} */ padding) => {
      const data = new BigInt64Array(inputs.length * length).fill(BigInt(padding));
      for (const [at, row] of inputs.entries()) data.set(values(row).map(BigInt), at * length);
      return data;
    };
    return {
      shape: [inputs.length, length],
      feeds: {
        input_ids: fill((row) => row.ids, this._tokenizer.padId),
        attention_mask: fill((row) => row.ids.map(() => 1), 0),
        token_type_ids: fill((row) => row.types, 0),
      },
    };
  }
}

/**
 * @param {Text} text
 * @param {number} start
 * @returns {number} Where a part of a long text ends: before the white space that follows its last whole word.
 */
function endOfPart(text, start) {
  const end = start + PART;
  if (end >= text.length) return text.length;
  for (let at = end; at > end - Math.floor(PART / 4); at -= 1) if (text.isSpace(at)) return at;
  return end;
}
