// The review desk: keys, the list, the filters. Without this script the same is done by links and forms.
import { desk, detail, item, list, narrow, parsed, part, query, rowOf, rows, say, tell } from "./review_parts.js";
import { after, current, mark, more, nothing, open, ready, release, reload, settle } from "./review_show.js";
import { undo } from "./review_send.js";
import { act, choose, close, openPanel, panel, reject, translate } from "./review_item.js";
import { take } from "./review_live.js";
import { pick, preview } from "./review_many.js";

const help = document.getElementById("help");
const filters = document.getElementById("filters");
const search = () => document.getElementById("q");
document.documentElement.classList.add("js");

function step(by) {
  const row = rowOf(current());
  const next = row ? after(row, by) : rows()[0];
  if (next) open(next.dataset.id, { push: desk.classList.contains("opened") });
  else if (by > 0) more();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  a: () => act("approve"),
  s: () => act("skip"),
  e: () => panel("edit"),
  r: () => panel("reject"),
  g: () => panel("again"),
  u: undo,
  t: translate,
  x: pick,
  n: take,
  A: () => preview("approve"),
  "/": () => search().focus(),
  "?": () => help.showModal(),
};
const REPEATS = new Set(["j", "k", "ArrowDown", "ArrowUp"]);

// The key as it is printed on a Latin keyboard: whatever CapsLock, a Cyrillic layout, full-width letters or the digits
// of a French keyboard make of it.
function named({ key, code, shiftKey }) {
  if (key.length !== 1) return key;
  const ascii = key >= " " && key <= "~";
  const letter = /^[a-z]$/i.test(key) ? key : ascii ? "" : (/^Key([A-Z])$/.exec(code)?.[1] ?? "");
  if (letter) return shiftKey ? letter.toUpperCase() : letter.toLowerCase();
  if (!ascii && code === "Slash") return shiftKey ? "?" : "/";
  return (!shiftKey && /^Digit(\d)$/.exec(code)?.[1]) || key;
}

const writes = (target) => target.closest?.('textarea, select, [contenteditable], input:not([type="radio"], [type="checkbox"])');

function inPanel(event, one) {
  if (event.key === "Escape") return close();
  if (one.id !== "reject" || writes(event.target)) return undefined;
  const key = named(event);
  if (/^[1-5]$/.test(key)) {
    event.preventDefault();
    return event.repeat ? undefined : reject(Number(key) - 1);
  }
  // Who starts to write a reason writes it into its field.
  if (event.key.length === 1 && event.key !== " ") one.querySelector('input[name="text"]').focus();
  return undefined;
}

document.addEventListener("keydown", (event) => {
  // What an input method is still composing is not ours; some browsers say it by 229 only.
  if (event.isComposing || event.keyCode === 229 || document.querySelector("dialog[open]")) return;
  const one = openPanel();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("#edit textarea")) {
    event.preventDefault();
    return event.target.form.requestSubmit(event.target.form.querySelector('[value="edit"]:enabled') ?? undefined);
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (one?.contains(event.target) || (one && one.id !== "edit")) return inPanel(event, one);
  if (event.key === "Escape") return writes(event.target) ? event.target.blur() : one ? close() : undefined;
  if (writes(event.target) || (event.target.type === "radio" && event.key.startsWith("Arrow"))) return;
  const key = named(event);
  const number = /^[1-9]$/.test(key) ? Number(key) : 0;
  if (!number && (!keys[key] || (event.repeat && !REPEATS.has(key)))) return;
  event.preventDefault();
  number ? choose(number - 1) : keys[key]();
});

list.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  if (link.dataset.list) more();
  else open(link.closest(".one").dataset.id, { push: true });
});

function toList() {
  release();
  desk.classList.remove("opened");
  history.replaceState({}, "", `/review${query()}`);
}
detail.addEventListener("click", (event) => {
  if (!event.target.closest(".back")) return;
  event.preventDefault();
  toList();
});
addEventListener("popstate", () => {
  const id = /^\/review\/(\d+)$/.exec(location.pathname)?.[1];
  desk.classList.toggle("opened", Boolean(id));
  if (id) open(id);
});

// The filters: the address follows what is chosen, the list follows the address.
let waiting = 0;
let turn = 0;
async function narrowed() {
  const mine = ++turn;
  const fields = [...new FormData(document.getElementById("narrow"))].filter(([name, value]) => value && !(name === "sort" && value === "value"));
  const asked = new URLSearchParams(fields);
  history.replaceState({}, "", location.pathname + (fields.length ? `?${asked}` : ""));
  try {
    const [shown] = await Promise.all([part(`/review/filters${query()}`), reload()]);
    if (mine !== turn) return;
    refit(parsed(shown));
    tell("");
  } catch {
    return tell(say("offline_none"), "bad");
  }
  document.getElementById("new").hidden = true;
  if (rows().length && !rowOf(current()) && !narrow.matches) await open(rows()[0].dataset.id, { focus: false });
  else if (!rows().length && !narrow.matches) nothing();
}

// Puts the new numbers in place; the field that somebody writes in stays.
function refit(nodes) {
  const unfolded = filters.querySelector("details").open;
  const focused = document.activeElement === search() ? search() : null;
  filters.replaceChildren(...nodes);
  filters.querySelector("details").open = unfolded;
  const matching = Number(document.getElementById("narrow").dataset.matching);
  const label = document.querySelector("#selected .all");
  if (label) label.textContent = say(matching > 200 ? "bulk_first" : "bulk_all", { number: Math.min(matching, 200) });
  if (!focused) return;
  search().replaceWith(focused);
  focused.focus();
}

filters.addEventListener("input", (event) => {
  clearTimeout(waiting);
  if (!event.isComposing) waiting = setTimeout(narrowed, event.target.type === "search" ? 200 : 0);
});
filters.addEventListener("compositionend", () => narrowed());
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  search().blur();
  narrowed().then(() => rows()[0] && open(rows()[0].dataset.id));
});

if (item()) {
  ready();
  mark(current());
  settle(current());
}
