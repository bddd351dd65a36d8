// The kinds of task that the page knows. A new one is a module beside this, and a line in the list.

import { ask } from "./ask.js";
import { classify } from "./classify.js";
import { compare } from "./compare.js";

/**
 * @typedef {object} Kind
 * @property {string} id Of its panel; its tab is `tab-ID`, its form `ID-form`, the button of that `ID-button`.
 * @property {string} task What a bundle calls it.
 * @property {string} verb Of the service: `v1/VERB`.
 * @property {string} tab What its tab says.
 * @property {string} form Its panel, in HTML. Enter with Ctrl sends the form; in a field with `data-sends`, Enter alone.
 * @property {() => void} [start] Called once when the panel is there.
 * @property {(bundle: any) => void} [choose] Called when a bundle is chosen; with nothing where none has this task.
 * @property {(bundle: any) => string[]} fields Fields that must be filled.
 * @property {(bundle: any) => object} read What to ask.
 * @property {(found: any, asked: any) => void} show Shows what the service said to what was asked.
 */

/** @type {Kind[]} */
export const KINDS = [ask, compare, classify];
