/** From what a model says of itself to how often it is right. As `lrc_runtime/calibration.py`. */

import { findLang } from "./languages.js";

export class Calibration {
  /** @param {any} values Of a bundle's manifest. */
  constructor(values) {
    this._slope = values.slope;
    this._intercept = values.intercept;
    /** @type {Map<string, number>} */
    this._languages = new Map(Object.entries(values.languages));
    this._noAnswerSlope = values.no_answer_slope;
    this._noAnswerIntercept = values.no_answer_intercept;
  }

  /**
   * @param {number} logProbability Natural logarithm of the model's own probability.
   * @param {string} [lang] Language of the text, if it is known, in any spelling.
   * @returns {number} The probability of being right.
   */
  confidence(logProbability, lang) {
    const known = lang === undefined ? undefined : findLang(lang, this._languages.keys());
    const offset = known === undefined ? 0 : /** @type {number} */ (this._languages.get(known));
    return sigmoid(this._slope * logOdds(logProbability) + this._intercept + offset);
  }

  /**
   * @param {number} margin Log-probability of the best span less the smallest of "no answer" in any window.
   * @returns {number} The probability that a context does not answer.
   */
  noAnswer(margin) {
    return sigmoid(-(this._noAnswerSlope * margin + this._noAnswerIntercept));
  }
}

/** @param {number} logProbability */
function logOdds(logProbability) {
  const bounded = Math.min(Math.max(logProbability, -700), -1e-12);
  return bounded - Math.log(-Math.expm1(bounded));
}

/** @param {number} value */
function sigmoid(value) {
  return 0.5 * (1 + Math.tanh(value / 2));
}
