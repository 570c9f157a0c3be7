"use strict";
// Shows the reply as it is written; without this script the form brings the whole page.
const form = document.getElementById("try");
const notice = document.getElementById("notice");
const live = document.getElementById("live");
const written = live.querySelector(".reply");
const result = document.getElementById("result");

function tell(line) {
  notice.textContent = line;
  notice.hidden = !line;
}

function take(line) {
  const told = JSON.parse(line);
  if (told.piece !== undefined) written.textContent += told.piece;
  if (told.error !== undefined) tell(told.error);
  if (told.html !== undefined) {
    const fresh = new DOMParser().parseFromString(told.html, "text/html");
    result.replaceChildren(...fresh.body.childNodes);
  }
  return told.piece === undefined;
}

async function ask() {
  const answer = await fetch("/try", {
    method: "POST",
    headers: { Accept: "application/x-ndjson" },
    body: new URLSearchParams(new FormData(form)),
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let ended = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) ended = take(line);
  }
  if (!ended) throw new Error("cut off");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("");
  written.textContent = "";
  result.replaceChildren();
  live.hidden = false;
  try {
    await ask();
  } catch {
    tell(live.dataset.broken);
  } finally {
    live.hidden = true;
    button.disabled = false;
  }
});
