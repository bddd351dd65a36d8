// The page: what is typed goes to the service, what it answers is shown. Each kind of task has a tab of its own.

import * as api from "./api.js";
import { showCard } from "./card.js";
import { $, element, show } from "./dom.js";
import { KINDS } from "./tasks/kinds.js";

let bundles = [];
let kind = KINDS[0];
let running = null;

// The token that a service may ask for.

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

const tab = (one) => $(`tab-${one.id}`);

function makeTab(one) {
  const button = element("button", { type: "button", id: `tab-${one.id}`, textContent: one.tab });
  button.setAttribute("role", "tab");
  button.setAttribute("aria-controls", one.id);
  button.addEventListener("click", () => choose(one));
  button.addEventListener("keydown", (event) => {
    const usable = KINDS.filter((other) => !tab(other).disabled);
    const at = usable.indexOf(one);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) choose(usable.at(next % usable.length), true);
  });
  $("tabs").append(button);
}

function makePanel(one) {
  const panel = element("section", { id: one.id, hidden: true, innerHTML: one.form });
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", `tab-${one.id}`);
  $("main").append(panel);
  one.start?.();
  $(`${one.id}-form`).addEventListener("submit", (event) => {
    event.preventDefault();
    const bundle = chosen();
    if (!filled(...one.fields(bundle))) return;
    const asked = { ...one.read(bundle), bundle: $("bundle").value };
    submit($(`${one.id}-button`), async (signal) => one.show(await api.ask(one.verb, asked, signal), asked));
  });
  for (const field of panel.querySelectorAll("textarea")) {
    field.addEventListener("keydown", (event) => {
      const alone = "sends" in field.dataset && !event.shiftKey;
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey || alone) || event.isComposing) return;
      event.preventDefault();
      field.form.requestSubmit();
    });
  }
}

function choose(next, focus) {
  kind = next;
  for (const one of KINDS) {
    tab(one).setAttribute("aria-selected", String(one === kind));
    tab(one).tabIndex = one === kind ? 0 : -1;
    $(one.id).hidden = one !== kind;
  }
  if (focus) tab(kind).focus();
  show(null);
  const fitting = bundles.filter((bundle) => bundle.task === kind.task);
  $("bundle").replaceChildren(...fitting.map((bundle) => element("option", { textContent: bundle.name })));
  chooseBundle();
}

const chosen = () => bundles.find((one) => one.name === $("bundle").value);

function chooseBundle() {
  const bundle = chosen();
  $("open-card").disabled = $("bundle").disabled = !bundle;
  kind.choose?.(bundle);
}

// Wiring

for (const one of KINDS) {
  makeTab(one);
  makePanel(one);
}

$("bundle").addEventListener("change", chooseBundle);

$("open-card").addEventListener("click", async () => {
  try {
    const { name } = chosen();
    showCard($("card-text"), await guarded(() => api.card(name)));
    $("card-name").textContent = name;
    $("card").showModal();
  } catch (error) {
    show(error);
  }
});
$("close-card").addEventListener("click", () => $("card").close());

// Where the bundles are not known yet, the first form is there already.
choose(KINDS[0]);
try {
  bundles = await guarded(api.bundles);
  for (const one of KINDS) tab(one).disabled = !bundles.some((bundle) => bundle.task === one.task);
  choose(KINDS.find((one) => !tab(one).disabled) ?? KINDS[0]);
} catch (error) {
  show(error);
}
