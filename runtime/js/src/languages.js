/**
 * Names of languages: tags of BCP 47 in any spelling, and which of the known ones a tag means.
 * As `lrc_runtime/languages.py`, which tells why.
 */

import { InputError } from "./errors.js";

const PATTERN = /^[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*$/;
const LONGEST = 64;
const MACRO = ["ar", "kok", "lv", "ms", "sgn", "sw", "uz", "zh"];
/** @type {Map<string, string>} */
const SAME = new Map(Object.entries({ bh: "bho", gom: "kok", knn: "kok", mnk: "man", nb: "no", tw: "ak" }));

/** @param {unknown} tag */
function isTag(tag) {
  return typeof tag === "string" && tag.length <= LONGEST && PATTERN.test(tag);
}

/**
 * Refuses what is no language tag.
 * @param {unknown} tag
 * @throws {InputError} If it is none.
 */
export function checkLang(tag) {
  if (isTag(tag)) return;
  const shown = String(JSON.stringify(tag)).slice(0, 80);
  throw new InputError(`lang: ${shown} is no language tag; give one of BCP 47, such as de, pt-BR or zh-Hans`);
}

/**
 * @param {string} tag A language tag; any other text means itself alone.
 * @param {Iterable<string>} known The known languages, in any spelling.
 * @returns {string | undefined} Which of them it means: de-AT means de, zh-Hans-CN means zh-Hans, or else zh; pt, where
 *   there is none, means pt-BR.
 */
export function findLang(tag, known) {
  const spelled = [...known];
  if (spelled.includes(tag)) return tag;
  const asked = canonical(tag);
  const names = spelled.map(canonical);
  for (let wanted = asked; wanted; wanted = wanted.slice(0, Math.max(0, wanted.lastIndexOf("-")))) {
    if (names.includes(wanted)) return spelled[names.indexOf(wanted)];
  }
  return spelled[names.findIndex((name) => name.startsWith(`${asked}-`))];
}

/**
 * @param {string} tag
 * @returns {string} One spelling for all of a language tag, in lower case; of any other text itself.
 */
function canonical(tag) {
  if (!isTag(tag)) return tag;
  let [primary, ...rest] = tag.replaceAll("_", "-").toLowerCase().split("-");
  // zh-yue is yue.
  if (MACRO.includes(primary) && /^[a-z]{3}$/.test(rest[0] ?? "")) primary = /** @type {string} */ (rest.shift());
  return [language(primary), ...rest].join("-");
}

/** @param {string} code Of a language, in lower case. */
function language(code) {
  if (code.length !== 2 && code.length !== 3) return code;
  const found = Intl.getCanonicalLocales(code)[0].toLowerCase();
  return SAME.get(found) ?? found;
}
