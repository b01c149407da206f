// Keeps what was read of this site, so that it can be read, and the lab used, without a network. Where there is one,
// the newest file comes first.
"use strict";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event));
});

async function answer(event) {
  const kept = await caches.open(registration.scope);
  const place = event.request.url.split(/[?#]/)[0]; // one version of each file
  try {
    const fresh = await fetch(event.request);
    if (fresh.status === 200) event.waitUntil(kept.put(place, fresh.clone()));
    return fresh;
  } catch (problem) {
    const old = await kept.match(place);
    if (old) return old;
    throw problem;
  }
}
