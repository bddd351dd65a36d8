// What the parts of the page share: elements, numbers for readers, and the line for errors.

export const $ = (id) => document.getElementById(id);
export const percent = (share) => (share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);
export const milliseconds = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

export function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Shows an error, or takes away the one that is shown.
export function show(error) {
  $("error").hidden = !error;
  $("error").textContent = error ? error.message : "";
}
