"use strict";
// Sends the file, or what was pasted, as it is: characters are told apart by the service, not by the browser.
const form = document.getElementById("inbox");
const told = document.getElementById("told");

function say(line) {
  const shown = document.createElement("p");
  shown.className = "card error";
  shown.textContent = line;
  told.replaceChildren(shown);
}

async function send(address) {
  const file = document.getElementById("file").files[0];
  const content = file || form.elements.text.value;
  if (file && file.size > Number(form.dataset.most)) return say(form.dataset.large);
  const where = new URLSearchParams({ channel: form.elements.channel.value, post: form.elements.post.value });
  try {
    const answer = await fetch(`${address}?${where}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-CSRF-Token": form.elements.csrf.value },
      body: content,
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const section = page.querySelector("section[data-done]");
    if (!section) return say(page.querySelector("main p:not(.lead)")?.textContent || form.dataset.broken);
    told.replaceChildren(section);
    document.getElementById("import").hidden = !section.dataset.ready;
    if (section.dataset.done) {
      form.elements.text.value = "";
      document.getElementById("file").value = "";
    }
  } catch {
    say(form.dataset.broken);
  }
}

if (form) {
  document.getElementById("choose").hidden = false;
  form.addEventListener("input", () => {
    // What was shown is no longer what would be brought in.
    document.getElementById("import").hidden = true;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = event.submitter?.getAttribute("formaction") || form.getAttribute("action");
    const buttons = [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    told.textContent = form.dataset.working;
    await send(address);
    for (const button of buttons) button.disabled = false;
  });
}
