// The page: what is typed goes to the service, what it answers is shown in the text.

import * as api from "./api.js";
import { showCard } from "./card.js";
import { examples } from "./examples.js";
import { findLang } from "./lrc/languages.js";

const TASKS = { ask: "question-answering", compare: "paraphrase" };
const TOP_K = 4;

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");
const percent = (share) => (share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);
const milliseconds = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

let bundles = [];
let mode = "ask";
let running = null;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Errors, and the token that a service may ask for.

function show(error) {
  $("error").hidden = !error;
  $("error").textContent = error ? error.message : "";
}

function signIn() {
  return new Promise((resolve) => {
    const dialog = $("sign-in");
    dialog.addEventListener("close", () => resolve(), { once: true });
    dialog.showModal();
  });
}

async function guarded(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status !== 401) throw error;
      await signIn();
      api.useToken($("token").value.trim());
    }
  }
}

// A form asks once at a time; a newer request takes the place of an older one.
async function submit(button, work) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  button.setAttribute("aria-busy", "true");
  show(null);
  try {
    await guarded(() => work(mine.signal));
  } catch (error) {
    if (error.name !== "AbortError") show(error);
  } finally {
    if (running === mine) button.removeAttribute("aria-busy");
  }
}

function filled(...ids) {
  const empty = ids.find((id) => !$(id).value.trim());
  if (!empty) return true;
  const label = document.querySelector(`label[for="${empty}"]`).textContent.trim();
  show(new Error(`${label}: nothing is written there yet.`));
  $(empty).focus();
  return false;
}

// Tabs and bundles

function choose(next, focus) {
  mode = next;
  for (const name of Object.keys(TASKS)) {
    const chosen = name === next;
    $(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    $(name).hidden = !chosen;
    if (chosen && focus) $(`tab-${name}`).focus();
  }
  show(null);
  const fitting = bundles.filter((bundle) => bundle.task === TASKS[mode]);
  $("bundle").replaceChildren(...fitting.map((bundle) => element("option", { textContent: bundle.name })));
  chooseBundle();
}

function chooseBundle() {
  const bundle = bundles.find((one) => one.name === $("bundle").value);
  $("open-card").disabled = $("bundle").disabled = !bundle;
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

// The text

function count() {
  $("count").textContent = `${numbers.format([...$("context").value].length)} characters`;
}

function edit() {
  $("reading").hidden = $("edit").hidden = true;
  $("context").hidden = false;
}

async function read(file) {
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

function showAnswers(text, found) {
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

// Wiring

$("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!filled("context", "question")) return;
  const text = $("context").value;
  const request = { question: $("question").value, context: text, top_k: TOP_K, bundle: $("bundle").value };
  if ($("lang").value) request.lang = $("lang").value;
  submit($("ask-button"), async (signal) => showAnswers(text, await api.answer(request, signal)));
});

$("compare-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!filled("first", "second")) return;
  const request = { first: $("first").value, second: $("second").value, bundle: $("bundle").value };
  submit($("compare-button"), async (signal) => showVerdict(await api.compare(request, signal)));
});

for (const id of ["context", "question", "first", "second"]) {
  $(id).addEventListener("keydown", (event) => {
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey || (id === "question" && !event.shiftKey));
    if (!sends || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
}

for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => choose(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) choose(mode === "ask" ? "compare" : "ask", true);
  });
}

$("bundle").addEventListener("change", chooseBundle);
$("context").addEventListener("input", count);
$("edit").addEventListener("click", () => {
  edit();
  $("context").focus();
});
$("open-file").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => read($("file").files[0]).then(() => ($("file").value = "")));

for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  $("drop").addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("dropping", over);
    if (kind === "drop") read(event.dataTransfer.files[0]);
  });
}

$("open-card").addEventListener("click", async () => {
  try {
    const chosen = $("bundle").value;
    showCard($("card-text"), await guarded(() => api.card(chosen)));
    $("card-name").textContent = chosen;
    $("card").showModal();
  } catch (error) {
    show(error);
  }
});
$("close-card").addEventListener("click", () => $("card").close());

try {
  bundles = await guarded(api.bundles);
  count();
  choose(bundles.some((bundle) => bundle.task === TASKS.ask) ? "ask" : "compare");
  for (const [tab, task] of Object.entries(TASKS)) {
    $(`tab-${tab}`).disabled = !bundles.some((bundle) => bundle.task === task);
  }
} catch (error) {
  show(error);
}
