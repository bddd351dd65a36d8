/** Texts by code point: JavaScript counts UTF-16 units, the runtime counts code points as Python does. */

import { InputError } from "./errors.js";

// What Python's `str.isspace` takes for white space, which is not quite what `\s` does.
const SPACE = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;

/** A text that is asked by code point. */
export class Text {
  /**
   * @param {unknown} text The text.
   * @throws {InputError} If it is not a string, or holds a lone surrogate.
   */
  constructor(text) {
    if (typeof text !== "string") throw new InputError(`expected a text (string), found ${typeof text}`);
    const units = new Int32Array(text.length + 1);
    let length = 0;
    for (let unit = 0; unit < text.length; length += 1) {
      units[length] = unit;
      const code = /** @type {number} */ (text.codePointAt(unit));
      if (code >= 0xd800 && code <= 0xdfff) {
        const name = code.toString(16).toUpperCase();
        throw new InputError(
          `the text holds a lone surrogate (U+${name}) at character ${length}; decode it as UTF-8 or UTF-16 before asking`,
        );
      }
      unit += code > 0xffff ? 2 : 1;
    }
    units[length] = text.length;
    /** The whole text. */
    this.text = text;
    /** Number of code points. */
    this.length = length;
    this._units = units;
  }

  /**
   * @param {number} at A code point, from 0 to `length`.
   * @returns {number} The UTF-16 unit at which it begins.
   */
  unit(at) {
    return this._units[at];
  }

  /**
   * @param {number} start First code point.
   * @param {number} end Code point after the last.
   * @returns {string} What lies between.
   */
  slice(start, end) {
    return this.text.slice(this._units[start], this._units[end]);
  }

  /**
   * @param {number} at A code point.
   * @returns {boolean} Whether it is white space.
   */
  isSpace(at) {
    return SPACE.test(this.slice(at, at + 1));
  }
}
