// The kind of task that answers a question from a text.

import { $, element, milliseconds, percent, show } from "../dom.js";
import { examples } from "../examples.js";
import { findLang } from "../lrc/languages.js";

const TOP_K = 4;

const numbers = new Intl.NumberFormat("en");

const form = `
  <form id="ask-form" class="columns" novalidate>
    <div class="panel text" id="drop">
      <div class="bar">
        <label for="context" id="context-label">Text</label>
        <span class="tools">
          <button type="button" class="quiet" id="edit" hidden>Edit text</button>
          <button type="button" class="quiet" id="open-file">Open a file</button>
          <input type="file" id="file" accept=".txt,.md,text/plain,text/markdown" hidden aria-label="Text file">
        </span>
      </div>
      <textarea id="context" dir="auto" spellcheck="false" aria-describedby="context-hint"
        placeholder="Paste a text, or drop a text file here."></textarea>
      <div id="reading" class="reading" tabindex="0" role="region" aria-label="Text with the answers marked" hidden></div>
      <p class="hint" id="context-hint"><span id="count">0 characters</span></p>
    </div>

    <div class="side">
      <div class="panel">
        <label for="question">Question</label>
        <textarea id="question" dir="auto" rows="2" data-sends aria-describedby="question-hint"></textarea>
        <p class="hint" id="question-hint">In any language of the bundle; it need not be that of the text.</p>
        <div class="controls">
          <button type="submit" class="primary" id="ask-button">Ask</button>
          <span class="option">
            <label for="lang">Language of the text</label>
            <select id="lang"></select>
          </span>
        </div>
      </div>

      <div class="panel examples" id="examples">
        <h2>Or begin with one of these</h2>
        <ul id="example-list"></ul>
      </div>

      <section class="panel result" id="result" aria-labelledby="result-title" hidden>
        <h2 id="result-title">Answer</h2>
        <div role="status" id="status">
          <p class="verdict" id="verdict" hidden></p>
          <p class="answer" id="answer"><bdi></bdi></p>
          <p class="sure"><span class="gauge" id="gauge" aria-hidden="true"></span><span id="sure"></span></p>
        </div>
        <div id="others" hidden>
          <h3>Candidates</h3>
          <ol id="runners"></ol>
        </div>
        <p class="hint" id="took"></p>
      </section>
    </div>
  </form>
`;

// What the chosen bundle offers: its languages, and examples in them.
function choose(bundle) {
  const languages = bundle?.languages ?? [];
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
  const known = [...new Set(languages)].map((code) => element("option", { value: code, textContent: name(names, code) }));
  $("lang").replaceChildren(element("option", { value: "", textContent: "not said" }), ...known);
  const served = new Set(languages.map((code) => findLang(code, examples.map((example) => example.lang))));
  const fitting = examples.filter((example) => served.has(example.lang));
  $("example-list").replaceChildren(...(fitting.length ? fitting : examples).map(exampleButton));
}

function name(names, code) {
  try {
    return names.of(code.replaceAll("_", "-"));
  } catch {
    return code;
  }
}

function exampleButton(example) {
  const button = element(
    "button",
    { type: "button", lang: example.lang },
    element("bdi", { textContent: example.question }),
    element("span", { className: "number", textContent: example.name }),
  );
  button.addEventListener("click", () => {
    edit();
    $("context").value = example.context;
    $("question").value = example.question;
    const option = [...$("lang").options].find(({ value }) => findLang(value, [example.lang]));
    if (option) $("lang").value = option.value;
    count();
    $("ask-form").requestSubmit();
    $("question").focus();
  });
  return element("li", {}, button);
}

function count() {
  $("count").textContent = `${numbers.format([...$("context").value].length)} characters`;
}

function edit() {
  $("reading").hidden = $("edit").hidden = true;
  $("context").hidden = false;
}

async function openFile(file) {
  if (!file) return;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    edit();
    $("context").value = text;
    count();
    show(null);
    $("question").focus();
  } catch {
    show(new Error(`${file.name} is not a UTF-8 text; save it as UTF-8 first.`));
  }
}

// Shows the text with every answer marked; UTF-16 offsets are those of JavaScript's strings.
function showReading(text, answers) {
  const spans = answers.map((answer, rank) => ({ ...answer, rank })).sort((a, b) => a.utf16_start - b.utf16_start);
  const parts = [];
  let at = 0;
  for (const span of spans) {
    parts.push(text.slice(at, span.utf16_start));
    const mark = element("mark", { id: `mark-${span.rank}`, textContent: text.slice(span.utf16_start, span.utf16_end) });
    parts.push(mark);
    at = span.utf16_end;
  }
  parts.push(text.slice(at));
  // Each paragraph finds its own direction.
  $("reading").replaceChildren(element("div", { dir: "auto" }, ...parts));
  $("reading").hidden = $("edit").hidden = false;
  $("context").hidden = true;
}

function point(rank) {
  for (const mark of $("reading").querySelectorAll("mark")) mark.classList.toggle("best", mark.id === `mark-${rank}`);
  for (const button of $("runners").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.rank) === rank));
  }
  const mark = $(`mark-${rank}`);
  const box = $("reading");
  if (mark) box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
}

function runner(answer, rank) {
  const button = element(
    "button",
    { type: "button" },
    element("bdi", { textContent: answer.text }),
    element("span", { className: "number", textContent: percent(answer.score) }),
  );
  button.dataset.rank = rank;
  button.addEventListener("click", () => point(rank));
  return element("li", {}, button);
}

function showAnswers(found, { context: text }) {
  const [best, ...others] = found.answers;
  $("examples").hidden = true;
  $("result").hidden = false;
  $("verdict").hidden = found.answered;
  $("verdict").textContent = `The text probably does not answer this (${percent(found.no_answer)} likely).`;
  $("result-title").textContent = found.answered ? "Answer" : "Best guess";
  $("answer").firstElementChild.textContent = best ? best.text : "none";
  $("gauge").style.setProperty("--value", best ? best.score : 0);
  $("sure").textContent = best ? `${percent(best.score)} sure` : "The text holds nothing to read.";
  $("others").hidden = !others.length;
  $("runners").replaceChildren(...found.answers.map(runner));
  $("took").textContent = `Answered in ${milliseconds(found.seconds)} by ${found.bundle}.`;
  showReading(text, found.answers);
  point(0);
  $("result").scrollIntoView({ block: "nearest" });
}

function showVerdict(found) {
  $("comparison").hidden = false;
  $("comparison").scrollIntoView({ block: "nearest" });
  $("label").textContent = { paraphrase: "They mean the same", different: "They differ" }[found.label] ?? found.label;
  $("label-gauge").style.setProperty("--value", found.score);
  $("label-sure").textContent = `${percent(found.score)} sure`;
  $("label-took").textContent = `Compared in ${milliseconds(found.seconds)} by ${found.bundle}.`;
}

function start() {
  $("context").addEventListener("input", count);
  $("edit").addEventListener("click", () => {
    edit();
    $("context").focus();
  });
  $("open-file").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => openFile($("file").files[0]).then(() => ($("file").value = "")));

  for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    $("drop").addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      $("drop").classList.toggle("dropping", over);
      if (kind === "drop") openFile(event.dataTransfer.files[0]);
    });
  }
  count();
}

/** @type {import("./kinds.js").Kind} */
export const ask = {
  id: "ask",
  task: "question-answering",
  verb: "answer",
  tab: "Ask a text",
  form,
  start,
  choose,
  fields: () => ["context", "question"],
  read() {
    const lang = $("lang").value;
    return { question: $("question").value, context: $("context").value, top_k: TOP_K, ...(lang && { lang }) };
  },
  show: showAnswers,
};
