// Shows comments: the list and its place, one comment in the detail, the next one fetched ahead.
import { beacon, desk, detail, given, item, list, narrow, parsed, part, post, query, rowOf, rows, say, tell } from "./review_parts.js";

const ahead = new Map(); // id -> promise of the fragment
let shownAt = 0;
let filledAt = 0;
const SETTLE_MS = 300;
let missed = ""; // the comment that could not be fetched
let wanted = 0; // the comment that was asked for last; slower answers for others are dropped

export const current = () => item()?.dataset.id ?? "";
export const missing = () => missed;
// Whether what is on the screen has been there long enough for a key to be meant for it.
export const settled = () => performance.now() - filledAt > SETTLE_MS;
export const took = () => ((performance.now() - shownAt) / 1000).toFixed(1);
export const free = (row) => !row.dataset.held;
export const seen = () => detail.getClientRects().length > 0;

export function forget(id) {
  ahead.delete(String(id));
}

function fetched(id) {
  if (!ahead.has(id)) {
    const coming = part(`/review/item/${id}${query()}`);
    coming.catch(() => ahead.delete(id));
    ahead.set(id, coming);
  }
  return ahead.get(id);
}

// The row to go on with after `row`: below it, else above it; those that others have open are passed over.
export function after(row, step = 1) {
  const all = rows();
  const at = all.indexOf(row);
  const further = step > 0 ? all.slice(at + 1) : all.slice(0, Math.max(at, 0)).reverse();
  return further.find(free);
}

export async function open(id, { push = false, focus = true } = {}) {
  id = String(id);
  const leave = current();
  wanted = id;
  let html;
  try {
    html = await fetched(id);
  } catch (error) {
    if (wanted === id) missed = id;
    if (wanted === id) tell(error.status === 401 ? say("logged_out") : error.status ? error.message : say("offline_none"), "bad");
    return;
  }
  ahead.delete(id);
  if (wanted !== id) return;
  fill(html, id, focus);
  const address = `/review/${id}${query()}`;
  if (push && narrow.matches) history.pushState({ id }, "", address);
  else if (desk.classList.contains("opened") || !narrow.matches) history.replaceState({ id }, "", address);
  if (push) desk.classList.add("opened");
  await settle(id, leave);
}

// Takes the comment on the screen, and fetches the next one.
export async function settle(id, leave = "") {
  await hold("take", leave !== id ? leave : "");
  const next = after(rowOf(id)) ?? rows().find((row) => free(row) && row.dataset.id !== id);
  if (next) fetched(next.dataset.id).catch(() => undefined);
}

function fill(html, id, focus) {
  detail.replaceChildren(...parsed(html));
  filledAt = performance.now();
  missed = "";
  detail.scrollTop = 0;
  if (narrow.matches && desk.classList.contains("opened")) scrollTo(0, 0);
  if (focus) detail.focus({ preventScroll: true });
  mark(id);
  ready();
}

export function mark(id) {
  for (const row of list.querySelectorAll(".one")) {
    const now = row.dataset.id === String(id);
    row.classList.toggle("current", now);
    const link = row.querySelector("a");
    if (!now) link.removeAttribute("aria-current");
    else link.setAttribute("aria-current", "true");
    if (now) row.scrollIntoView({ block: "nearest" });
  }
}

// Prepares what is on the screen: the clock for the verdict, the editor, the marks.
export function ready() {
  shownAt = performance.now();
  const one = item();
  if (!one) return;
  wanted = one.dataset.id;
  for (const hidden of one.querySelectorAll("[data-do][hidden]")) hidden.hidden = false;
  const row = rowOf(one.dataset.id);
  const box = row?.querySelector("input");
  if (box) box.value = `${one.dataset.id}:${one.dataset.version}`;
  detail.dispatchEvent(new CustomEvent("shown"));
}

export function nothing() {
  wanted = 0;
  const empty = document.getElementById("nothing").content.cloneNode(true);
  detail.replaceChildren(empty);
  desk.classList.remove("opened");
  history.replaceState({}, "", `/review${query()}`);
}

// Takes, renews or gives back the hold on what is on the screen; what has changed meanwhile is loaded again.
export async function hold(act, leave = "") {
  const one = item();
  if (!one || !given.decides || document.hidden || !seen()) return;
  const id = one.dataset.id;
  if (act === "take" && !one.querySelector(".acts")) return;
  try {
    const told = await (await post(`/review/${id}/hold`, { act, leave })).json();
    if (current() !== id) return;
    holder(told.mine ? "" : told.by);
    if (String(told.version) !== item().dataset.version && !typing()) await again();
  } catch (error) {
    if (error.status === 401) tell(say("logged_out"), "bad");
  }
}

export function release() {
  const id = current();
  if (id && given.decides) beacon(`/review/${id}/hold`, { act: "release" });
}

export function holder(name) {
  const one = item();
  const line = one.querySelector(".taken");
  one.dataset.holder = name;
  line.hidden = !name;
  if (name) line.querySelector(".told").textContent = say("held", { name });
}

export const typing = () => Boolean(detail.querySelector("textarea:focus, .panel[open] input[name=text]:not(:placeholder-shown), .panel[open] form.dirty"));

// The same comment as it is now.
export async function again() {
  const id = current();
  forget(id);
  await open(id, { focus: false });
}

export async function reload() {
  const html = await part(`/review/list${query()}`);
  list.replaceChildren(...parsed(html));
  mark(current());
  list.dispatchEvent(new CustomEvent("renewed"));
}

let loading = false;
export async function more() {
  const link = list.querySelector(".more a");
  if (!link || loading) return;
  loading = true;
  try {
    const html = await part(link.dataset.list);
    link.closest(".more").remove();
    const [fresh, rest] = parsed(html).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    list.querySelector(".rows").append(...fresh.children);
    if (rest) list.append(rest);
  } catch {
    tell(say("offline_none"), "bad");
  } finally {
    loading = false;
  }
}
