// The kind of task that compares two sentences.

import { $, milliseconds, percent } from "../dom.js";

const form = `
  <form id="compare-form" class="narrow" novalidate>
    <div class="panel">
      <label for="first">One sentence</label>
      <textarea id="first" dir="auto" rows="3"></textarea>
      <label for="second">The other</label>
      <textarea id="second" dir="auto" rows="3"></textarea>
      <div class="controls"><button type="submit" class="primary" id="compare-button">Compare</button></div>
    </div>
    <section class="panel result" id="comparison" aria-labelledby="comparison-title" hidden>
      <h2 id="comparison-title">Verdict</h2>
      <div role="status">
        <p class="answer" id="label"></p>
        <p class="sure"><span class="gauge" id="label-gauge" aria-hidden="true"></span><span id="label-sure"></span></p>
      </div>
      <p class="hint" id="label-took"></p>
    </section>
  </form>
`;

function showVerdict(found) {
  $("comparison").hidden = false;
  $("comparison").scrollIntoView({ block: "nearest" });
  $("label").textContent = { paraphrase: "They mean the same", different: "They differ" }[found.label] ?? found.label;
  $("label-gauge").style.setProperty("--value", found.score);
  $("label-sure").textContent = `${percent(found.score)} sure`;
  $("label-took").textContent = `Compared in ${milliseconds(found.seconds)} by ${found.bundle}.`;
}

/** @type {import("./kinds.js").Kind} */
export const compare = {
  id: "compare",
  task: "paraphrase",
  verb: "compare",
  tab: "Compare",
  form,
  fields: () => ["first", "second"],
  read: () => ({ first: $("first").value, second: $("second").value }),
  show: showVerdict,
};
