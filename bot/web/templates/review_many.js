// Many at once: choosing them, seeing what will happen, and having it done.
import { detail, item, list, parsed, post, query, rowOf, rows, say } from "./review_parts.js";
import { current, nothing, open, reload } from "./review_show.js";
import { decided, show } from "./review_send.js";

const form = document.getElementById("bulk");
const bar = document.getElementById("selected");
const dialog = document.getElementById("many");
let last = null;

const picked = () => [...list.querySelectorAll('[name="ids"]:checked')];

function counted() {
  const number = picked().length;
  bar?.classList.toggle("some", number > 0);
  if (!bar) return;
  bar.querySelector(".count").textContent = say("selected", { number });
  // Out of sight it would still count.
  if (!number) bar.querySelector('[name="all"]').checked = false;
}

export function pick() {
  const box = rowOf(current())?.querySelector('[name="ids"]');
  if (!box) return;
  box.checked = !box.checked;
  counted();
}

list.addEventListener("click", (event) => {
  const box = event.target.closest('[name="ids"]');
  if (!box) return;
  const boxes = rows().map((row) => row.querySelector('[name="ids"]'));
  if (event.shiftKey && last && boxes.includes(last)) {
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const one of boxes.slice(from, to + 1)) one.checked = box.checked;
  }
  last = box;
  counted();
});
list.addEventListener("renewed", counted);

export async function preview(act) {
  if (!picked().length && !bar?.querySelector('[name="all"]').checked) return;
  const fields = [...new FormData(form)].filter(([name]) => name !== "act" && name !== "csrf");
  await ask(`/review/bulk${query() || "?"}&part=1`, [...fields, ["act", act]]);
}

async function ask(path, fields) {
  try {
    const answer = await post(path, fields);
    dialog.replaceChildren(...parsed(await answer.text()));
    dialog.setAttribute("aria-labelledby", "many-title");
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("button.main, .cancel")?.focus();
    await took(dialog.querySelector("form"));
  } catch (error) {
    for (const button of dialog.querySelectorAll("button:disabled")) button.disabled = false;
    show(error.status ? error.message : say("offline_none"), { bad: true });
  }
}

// What is done leaves the list; where all went well, the dialog closes by itself.
async function took(told) {
  if (told.dataset.done === undefined) return;
  const ids = told.dataset.done.split(" ").filter(Boolean);
  const heading = told.querySelector("h2").textContent;
  const undone = told.action.includes("undo") && !told.querySelector("button");
  if (ids.length && !undone) decided(ids);
  if (!told.querySelector(".error")) dialog.close();
  show(heading, { undo: ids.length > 0 && !undone });
  bar.querySelector('[name="all"]').checked = false;
  await reload();
  if (ids.includes(current()) || !item()) rows()[0] ? open(rows()[0].dataset.id) : nothing();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  preview(event.submitter.value);
});
dialog.addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = [...new FormData(event.target)].filter(([name]) => name !== "csrf");
  if (event.submitter) event.submitter.disabled = true;
  if (event.submitter?.value) fields.push(["act", event.submitter.value]);
  const path = new URL(event.target.action);
  path.searchParams.set("part", "1");
  ask(path.pathname + path.search, fields);
});
// A key held down, or the second click of two, was meant for what stood there before.
dialog.addEventListener("keydown", (event) => event.repeat && ["Enter", " "].includes(event.key) && event.preventDefault());
dialog.addEventListener("click", (event) => {
  if (event.detail > 1 && event.target.closest("button")) return event.preventDefault();
  if (event.target !== dialog && !event.target.closest(".cancel")) return;
  event.preventDefault();
  dialog.close();
});
dialog.addEventListener("close", () => detail.focus({ preventScroll: true }));
