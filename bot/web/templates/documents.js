"use strict";
// Uploads files with their progress, one request each, and follows what is being read.
const csrf = document.querySelector("meta[name=csrf]").content;
const form = document.getElementById("upload");
const work = document.getElementById("work");
let following = false;

function fresh(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

async function renewList() {
  const page = fresh(await (await fetch(location.href)).text());
  document.getElementById("list").replaceWith(page.getElementById("list"));
}

async function follow() {
  if (following) return;
  following = true;
  try {
    for (let active = true; active; ) {
      const answer = await fetch("/documents/work");
      if (!answer.ok) return;
      const told = await answer.json();
      if (!work.contains(document.activeElement)) work.replaceChildren(...fresh(told.html).body.childNodes);
      active = told.active;
      if (active) await new Promise((go) => setTimeout(go, 700));
    }
    await renewList();
  } finally {
    following = false;
  }
}

function send(file, line) {
  const body = new FormData();
  body.append("tags", form.elements.tags.value);
  if (form.elements.replace.checked) body.append("replace", "1");
  body.append("file", file);
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/documents/upload");
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.responseType = "json";
    request.upload.onprogress = (event) => line.show(event.loaded, event.total);
    request.onload = () => {
      const told = request.response || {};
      done(request.status === 202 ? "" : told.detail || form.dataset.broken);
    };
    request.onerror = () => done(form.dataset.broken);
    request.send(body);
  });
}

function lineFor(file) {
  const item = document.createElement("li");
  const bar = document.createElement("progress");
  const said = document.createElement("span");
  const name = document.createElement("bdi");
  name.textContent = file.name;
  bar.setAttribute("aria-label", file.name);
  said.textContent = form.dataset.sending;
  item.append(name, " ", bar, " ", said);
  document.getElementById("sending").append(item);
  return {
    show(loaded, total) {
      bar.max = total;
      bar.value = loaded;
    },
    end(wrong) {
      bar.remove();
      said.textContent = wrong || form.dataset.sent;
      said.className = wrong ? "error" : "quiet";
    },
  };
}

async function upload(file) {
  const line = lineFor(file);
  // A refusal in the middle of a body may not reach the browser.
  line.end(file.size > Number(form.dataset.most) ? form.dataset.large : await send(file, line));
}

if (form) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    document.getElementById("sending").replaceChildren();
    for (const file of [...form.elements.file.files]) {
      await upload(file);
      follow();
    }
    form.reset();
    button.disabled = false;
  });
}

// Leaving the page would break off what is being uploaded.
work.addEventListener("submit", async (event) => {
  event.preventDefault();
  const pressed = event.target;
  document.activeElement.blur();
  await fetch(pressed.action, { method: "POST", body: new URLSearchParams(new FormData(pressed)) });
  follow();
});

if ("active" in work.dataset) follow();
