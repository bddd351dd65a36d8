// The kind of task that finds the label of a text, or of two texts.

import { $, element, milliseconds, percent } from "../dom.js";

const form = `
  <form id="classify-form" class="narrow" novalidate>
    <div class="panel">
      <label for="text">Text</label>
      <textarea id="text" dir="auto" rows="4"></textarea>
      <div id="text-pair-field">
        <label for="text-pair">Second text</label>
        <textarea id="text-pair" dir="auto" rows="4"></textarea>
      </div>
      <div class="controls"><button type="submit" class="primary" id="classify-button">Classify</button></div>
    </div>
    <section class="panel result" id="classification" aria-labelledby="classification-title" hidden>
      <h2 id="classification-title">Label</h2>
      <div role="status">
        <p class="answer" id="class"><bdi></bdi></p>
        <p class="sure"><span class="gauge" id="class-gauge" aria-hidden="true"></span><span id="class-sure"></span></p>
      </div>
      <div class="others">
        <h3>What the model itself gives to the other labels</h3>
        <ol class="ranked" id="classes"></ol>
      </div>
      <p class="hint" id="class-took"></p>
    </section>
  </form>
`;

const isPair = (bundle) => (bundle?.texts ?? 2) === 2;

function other([label, probability]) {
  const number = element("span", { className: "number", textContent: percent(probability) });
  return element("li", {}, element("bdi", { textContent: label }), number);
}

function showLabel(found) {
  $("classification").hidden = false;
  $("class").firstElementChild.textContent = found.label;
  $("class-gauge").style.setProperty("--value", found.score);
  $("class-sure").textContent = `${percent(found.score)} sure`;
  // Names that are whole numbers come first in an object, whatever the service wrote.
  const others = Object.entries(found.probabilities).filter(([label]) => label !== found.label);
  $("classes").replaceChildren(...others.sort(([, a], [, b]) => b - a).map(other));
  $("class-took").textContent = `Classified in ${milliseconds(found.seconds)} by ${found.bundle}.`;
  $("classification").scrollIntoView({ block: "nearest" });
}

/** @type {import("./kinds.js").Kind} */
export const classify = {
  id: "classify",
  task: "text-classification",
  verb: "classify",
  tab: "Classify",
  form,
  choose(bundle) {
    $("text-pair-field").hidden = !isPair(bundle);
  },
  fields: (bundle) => (isPair(bundle) ? ["text", "text-pair"] : ["text"]),
  read: (bundle) => ({ text: $("text").value, ...(isPair(bundle) && { text_pair: $("text-pair").value }) }),
  show: showLabel,
};
