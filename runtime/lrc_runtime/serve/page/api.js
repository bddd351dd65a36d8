// What the page asks of the service. A page that answers by itself brings another file of this name.

let token = "";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function useToken(given) {
  token = given;
}

async function send(path, body, signal) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const options = { headers, signal };
  if (body) {
    headers["content-type"] = "application/json";
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service cannot be reached.");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new ApiError(response.status, said?.error?.message ?? `The service answered with status ${response.status}.`);
}

// [{name, task, languages, ...}]
export async function bundles() {
  return (await (await send("v1/bundles")).json()).bundles;
}

// The model card in Markdown.
export async function card(name) {
  return (await send(`v1/bundles/${encodeURIComponent(name)}/card`)).text();
}

// Asks the service at /v1/VERB.
export async function ask(verb, request, signal) {
  return (await send(`v1/${verb}`, request, signal)).json();
}
