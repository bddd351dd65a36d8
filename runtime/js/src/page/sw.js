/** Keeps every file of this folder, so that the page works without a network. */

// Put in by `lrc export --target web`.
const VERSION = "@VERSION@";
const scope = self.registration.scope;
// What the page itself has read already lies there too.
const NAME = `lrc-web ${scope} ${VERSION}`;

/** Fetches what is not kept yet. */
async function keep() {
  const manifest = await (await fetch(new URL("web.json", scope), { cache: "no-cache" })).json();
  if (manifest.version !== VERSION) throw new Error("the folder changed meanwhile");
  const cache = await caches.open(NAME);
  for (const file of ["./", "web.json", ...Object.keys(manifest.files)]) {
    const url = new URL(file, scope);
    if (!(await cache.match(url))) await cache.add(new Request(url, { cache: "no-cache" }));
  }
}

/** Drops what older versions of this folder kept. */
async function forget() {
  const old = (await caches.keys()).filter((name) => name.startsWith(`lrc-web ${scope} `) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function respond(request) {
  const cache = await caches.open(NAME);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forget().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(scope)) event.respondWith(respond(event.request));
});
