"use strict";
// Whatever a visitor wrote reaches the page through textContent only.
(() => {
  const PAUSE_MS = 1000;
  const words = document.body.dataset;
  const shown = new Map();
  let seq = 0;

  const remembered = () => {
    try { return localStorage.getItem("name") || ""; } catch { return ""; }
  };
  const remember = (name) => {
    try { localStorage.setItem("name", name); } catch { /* private window: the name is typed again */ }
  };

  function element(comment) {
    const item = document.getElementById("comment").content.firstElementChild.cloneNode(true);
    item.id = "c" + comment.id;
    item.classList.toggle("creator", comment.by_creator);
    item.querySelector(".badge").hidden = !comment.by_creator;
    item.querySelector(".name").textContent = comment.name;
    const time = item.querySelector("time");
    time.dateTime = comment.created_at;
    time.textContent = new Date(comment.created_at).toLocaleString(words.locale, { dateStyle: "medium", timeStyle: "short" });
    item.querySelector(".answer").addEventListener("click", () => openReply(item, comment));
    return item;
  }

  function show(comment) {
    let item = shown.get(comment.id);
    if (!item) {
      const parent = shown.get(comment.parent_id);
      const post = document.querySelector(`article[data-post="${CSS.escape(comment.post_id)}"]`);
      if (!post) return;
      item = element(comment);
      shown.set(comment.id, item);
      (parent || post).querySelector(".comments").append(item);
      post.querySelector(".empty").hidden = true;
    }
    item.classList.toggle("deleted", comment.deleted);
    item.querySelector(".text").textContent = comment.deleted ? words.deleted : comment.text;
    item.querySelector(".answer").hidden = comment.deleted;
  }

  async function refresh() {
    for (;;) {
      const answer = await fetch("/visitor/changes?after=" + seq);
      if (!answer.ok) throw new Error(String(answer.status));
      const news = await answer.json();
      news.changes.forEach(show);
      if (news.seq === seq) return;
      seq = news.seq;
    }
  }

  async function keepFresh() {
    let failed = false;
    try { await refresh(); } catch { failed = true; }
    document.getElementById("offline").hidden = !failed;
    setTimeout(keepFresh, PAUSE_MS);
  }

  function openReply(item, comment) {
    const body = item.querySelector(".body");
    if (body.querySelector("form")) return;
    const form = document.getElementById("reply").content.firstElementChild.cloneNode(true);
    form.querySelector(".cancel").addEventListener("click", () => form.remove());
    body.append(form);
    prepare(form, { parent_id: comment.id }, () => form.remove());
    form.elements.text.focus();
  }

  function prepare(form, target, done) {
    form.elements.name.value = remembered();
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("[type=submit]");
      const error = form.querySelector(".error");
      const name = form.elements.name.value;
      button.disabled = true;
      error.hidden = true;
      try {
        const answer = await fetch("/visitor/comments", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ ...target, name, text: form.elements.text.value }),
        });
        if (!answer.ok) throw new Error(await answer.text());
        remember(name);
        form.elements.text.value = "";
        done();
        await refresh();
      } catch (problem) {
        error.textContent = words.failed + " " + problem.message;
        error.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  }

  document.querySelectorAll("article > form").forEach((form) => prepare(form, { post_id: form.dataset.post }, () => {}));
  keepFresh();
})();
