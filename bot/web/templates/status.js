"use strict";
// Puts the fresh page's main part in place of the old one, when it has changed and nobody is selecting text in it.
const every = 2000;
const gone = document.getElementById("gone");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("fresh");
    const old = document.getElementById("fresh");
    gone.hidden = true;
    // What the reader has unfolded stays unfolded.
    for (const one of old.querySelectorAll("details[open]")) fresh?.querySelector(`#${one.id}`)?.setAttribute("open", "");
    if (fresh && fresh.innerHTML !== old.innerHTML && !String(getSelection())) old.replaceWith(fresh);
  } catch {
    gone.hidden = false;
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, every);
}

setTimeout(forever, every);
