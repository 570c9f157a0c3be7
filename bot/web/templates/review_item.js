// Inside one comment: candidates, the words that bear them, the editor, the panels.
import { detail, given, item, post, query, say, tell } from "./review_parts.js";
import { current, hold, settled } from "./review_show.js";
import { decide, lastAct, show, textKey } from "./review_send.js";

const chosen = () => item()?.querySelector(".candidates input:checked");
const textOf = (input) => input?.closest(".candidate").querySelector("[data-text]").dataset.text ?? "";
const editor = () => item()?.querySelector("#edit textarea");
const count = (text) => [...text.trim()].length;

export function choose(number) {
  const input = item()?.querySelectorAll(".candidates input")[number];
  if (!input) return;
  input.checked = true;
  input.closest(".candidate").scrollIntoView({ block: "nearest" });
  follow();
}

// Marks and editor follow the candidate that is chosen.
function follow() {
  const input = chosen();
  if (!input) return;
  const mark = `${input.value}-`;
  for (const passage of item().querySelectorAll(".passages .text")) {
    let before = "";
    for (const one of passage.querySelectorAll("mark")) {
      const numbers = one.dataset.s.split(" ").filter((name) => name.startsWith(mark)).map((name) => name.slice(mark.length)).join(" ");
      one.classList.toggle("on", numbers !== "");
      if (numbers && numbers !== before) one.dataset.n = numbers;
      else delete one.dataset.n;
      before = numbers || before;
    }
  }
  const area = editor();
  if (area && !area.form.classList.contains("dirty")) {
    area.value = textOf(input);
    area.form.elements.candidate.value = input.value;
    measure();
  }
}

function measure() {
  const area = editor();
  const limit = Number(item().dataset.limit);
  const number = count(area.value);
  const told = area.form.querySelector(".counter");
  told.textContent = say("counter", { number, limit }) + (number > limit ? ` · ${say("too_long", { number: number - limit })}` : "");
  told.classList.toggle("bad", number > limit);
  area.setAttribute("aria-invalid", String(number > limit));
  area.form.querySelector('[value="edit"]').disabled = number > limit || !number;
}

function written() {
  const area = editor();
  const own = area.value !== textOf(chosen());
  area.form.classList.toggle("dirty", own);
  if (own) sessionStorage.setItem(textKey(current()), area.value);
  else sessionStorage.removeItem(textKey(current()));
  measure();
}

// The draft as it was, so that it can be approved again.
function discard() {
  const area = editor();
  area.value = textOf(chosen());
  area.form.elements.candidate.value = chosen()?.value ?? "";
  area.form.querySelector(".kept").hidden = true;
  written();
  close();
}

detail.addEventListener("shown", () => {
  const area = editor();
  if (!area) return;
  const kept = sessionStorage.getItem(textKey(current()));
  if (kept !== null && kept !== area.value) {
    area.value = kept;
    area.form.querySelector(".kept").textContent = say("saved_here");
    area.form.querySelector(".kept").hidden = false;
    item().querySelector("#edit").open = true;
  }
  if (kept !== null || item().querySelector("#edit").open) area.form.classList.add("dirty");
  measure();
});

export function panel(id) {
  const one = item()?.querySelector(`#${id}`);
  if (!one || item().inert) return false;
  for (const other of item().querySelectorAll(".panel[open]")) other.open = other === one;
  one.open = true;
  const field = one.querySelector("textarea") ?? one.querySelector('input[type="radio"], input:not([type])');
  field.focus();
  if (field.matches("textarea")) field.setSelectionRange(field.value.length, field.value.length);
  one.scrollIntoView({ block: "nearest" });
  return true;
}

export const openPanel = () => item()?.querySelector(".panel[open]");

export function close() {
  const one = openPanel();
  if (!one) return;
  one.open = false;
  detail.focus({ preventScroll: true });
}

export function act(name) {
  const button = item()?.querySelector(`#approve [value="${name}"]`);
  // A key that bounces meets the next comment, which nobody has read.
  if (!button || (name === lastAct() && !settled())) return;
  // Words that were written and not sent are not to be passed over.
  if (name === "approve" && editor()?.form.classList.contains("dirty")) return void panel("edit");
  decide(name, button.form);
}

export function reject(number) {
  const choice = item().querySelectorAll('#reject [name="quick"]')[number];
  if (!choice) return;
  choice.checked = true;
  decide("reject", choice.form);
}

export async function translate() {
  const form = item()?.querySelector("form.translate");
  if (!form) return;
  const id = current();
  form.querySelector("button").disabled = true;
  try {
    const told = await (await post(`/review/${id}/translate${query()}`, {})).json();
    if (current() !== id) return;
    const into = item().querySelector(".translated");
    into.querySelector(".into").textContent = told.text;
    into.hidden = false;
    form.remove();
  } catch (error) {
    show(say("untranslated", { why: error.message }), { bad: true });
    form.querySelector("button").disabled = false;
  }
}

detail.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.matches(".translate")) return void translate();
  if (form.matches(".over")) return void hold("over");
  const name = event.submitter?.value;
  if (name === "edit" && (count(form.elements.text.value) > Number(item().dataset.limit) || !count(form.elements.text.value))) return;
  if (name) name === "approve" ? act(name) : decide(name, form);
});
// The second click of a double click would meet the next comment.
detail.addEventListener("click", (event) => {
  if (event.target.closest('button[name="act"]') && event.detail > 1) event.preventDefault();
  if (event.target.closest('[data-do="close"]')) close();
  if (event.target.closest('[data-do="discard"]')) discard();
});
detail.addEventListener("toggle", (event) => {
  if (!event.target.matches(".panel") || !event.target.open) return;
  for (const other of item().querySelectorAll(".panel[open]")) if (other !== event.target) other.open = false;
}, true);
detail.addEventListener("input", (event) => event.target.matches("#edit textarea") && written());
detail.addEventListener("change", (event) => event.target.name === "candidate" && follow());

function light(event, on) {
  const one = event.target.closest?.("[data-s]");
  if (!one) return;
  for (const name of one.dataset.s.split(" ")) {
    for (const other of item().querySelectorAll(`[data-s~="${name}"]`)) other.classList.toggle("lit", on);
  }
}
for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) {
  detail.addEventListener(name, (event) => light(event, on));
}
if (!given.decides) tell("");
