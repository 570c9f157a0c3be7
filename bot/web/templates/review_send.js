// Verdicts on their way: one after the other, kept through a lost connection, and taken back.
import { desk, detail, given, item, list, post, renewed, rowOf, rows, say, tell } from "./review_parts.js";
import { after, again, current, forget, missing, more, nothing, open, reload, took } from "./review_show.js";

const KEPT = `rejoinder-outbox-${given.reader}`;
const RETRY_MS = 2000;
const toast = document.getElementById("toast");
const box = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
const done = []; // what can be taken back, the last one last
let sending = false;
let clock = 0;
let latest = "";
export const lastAct = () => latest;
export const mine = new Map(); // id -> when this page decided it

export const textKey = (id) => `rejoinder-text-${given.reader}-${id}`;
const keep = () => sessionStorage.setItem(KEPT, JSON.stringify(box));
const STAYS = ["redraft", "undo", "retry", "confirm_sent"];

// Puts the verdict on its way and goes on with the next comment at once.
export function decide(act, form) {
  const one = item();
  if (one.dataset.holder) return show(say("held", { name: one.dataset.holder }), { bad: true });
  if (one.inert) return;
  latest = act;
  const id = one.dataset.id;
  form.querySelector('[name="took_s"]').value = took();
  const fields = [...new FormData(form).entries()].filter(([name]) => name !== "act" && name !== "csrf");
  const row = rowOf(id);
  const entry = { id, act, fields: [...fields, ["act", act]] };
  box.push(entry);
  keep();
  mine.set(id, Date.now());
  if (!STAYS.includes(act)) done.push({ ids: [id] });
  if (act !== "redraft") leave(row, entry);
  flush();
}

const gone = new Map(); // id -> the row and what stood behind it

function leave(row, entry) {
  item().inert = true; // until the next one is there
  const next = (row && after(row)) ?? rows().find((one) => one !== row && !one.dataset.held);
  if (row) {
    gone.set(entry.id, { row, behind: row.nextElementSibling });
    row.remove();
    list.dispatchEvent(new CustomEvent("renewed"));
  }
  forget(entry.id);
  if (next) open(next.dataset.id);
  else nothing();
  if (rows().length < 10) more().then(() => !current() && rows()[0] && open(rows()[0].dataset.id));
}

function back(id) {
  const { row, behind } = gone.get(id) ?? {};
  gone.delete(id);
  if (!row) return;
  const place = list.querySelector(".rows");
  if (behind?.parentNode === place) behind.before(row);
  else place.append(row);
}

export async function flush() {
  if (sending) return;
  sending = true;
  while (box.length) {
    const entry = box[0];
    entry.tried = true;
    try {
      const answer = await post(`/review/${entry.id}/verdict`, entry.fields);
      box.shift();
      keep();
      tell("");
      took_place(entry, await answer.json());
    } catch (error) {
      if (!error.status || error.status >= 500) {
        tell(say("offline", { number: box.length }), "bad");
        setTimeout(flush, RETRY_MS);
        break;
      }
      if (error.status === 401 || (error.status === 403 && error.told.code !== "role")) {
        if (error.status === 403 && (await renewed().catch(() => false))) continue;
        tell(say("logged_out"), "bad");
        setTimeout(flush, 5 * RETRY_MS);
        break;
      }
      box.shift();
      keep();
      refused(entry, error);
    }
  }
  sending = false;
}

function took_place(entry, told) {
  const { id, act } = entry;
  sessionStorage.removeItem(textKey(id));
  if (act === "undo") {
    back(id);
    open(id, { push: desk.classList.contains("opened") });
    return show(`${say("did_undo")} · #${id}`);
  }
  if (act === "redraft") {
    if (current() === id) again();
    return show(`${say("did_redraft")} · #${id}`);
  }
  if (current() === id && item().inert && missing()) open(missing());
  show(`${say(`did_${act}`)} · #${id}`, { seconds: told.undo_s, undo: !STAYS.includes(act) });
}

function refused(entry, error) {
  const text = entry.fields.find(([name]) => name === "text")?.[1];
  if (entry.act === "edit" && text) sessionStorage.setItem(textKey(entry.id), text);
  show(`#${entry.id}: ${error.message}`, { bad: true });
  mine.delete(entry.id);
  const of = done.findIndex((one) => !one.many && one.ids[0] === entry.id);
  if (of >= 0) done.splice(of, 1);
  if (error.told.state === "review") back(entry.id);
  // What was written is in the editor of the comment as it is now.
  if (entry.act !== "undo" && !detail.querySelector("textarea:focus")) open(entry.id);
}

export function decided(ids) {
  done.push({ ids, many: true });
}

export async function undo() {
  const last = done.pop();
  if (!last) {
    const form = item()?.querySelector("#approve");
    if (form?.querySelector('[value="undo"]')) decide("undo", form);
    return;
  }
  toast.hidden = true;
  if (!last.many) {
    const unsent = box.findIndex((entry) => entry.id === last.ids[0] && !entry.tried);
    if (unsent >= 0) {
      box.splice(unsent, 1);
      keep();
      back(last.ids[0]);
      return open(last.ids[0], { push: desk.classList.contains("opened") });
    }
    box.push({ id: last.ids[0], act: "undo", fields: [["act", "undo"]] });
    keep();
    return flush();
  }
  try {
    await post("/review/bulk/undo?part", last.ids.map((id) => ["ids", id]));
    await reload();
    show(say("did_undo"));
  } catch (error) {
    done.push(last);
    show(error.status ? error.message : say("offline_none"), { bad: true });
  }
}

// A line at the bottom for some seconds; while a reply waits, it counts them down.
export function show(text, { seconds = 0, undo: offers = false, bad = false } = {}) {
  clearInterval(clock);
  // The time of day may be set meanwhile.
  const lasts = performance.now() + 1000 * Math.max(seconds, bad ? 8 : given.undo_s, 4);
  const until = performance.now() + 1000 * seconds;
  const step = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    toast.querySelector("span").textContent = left > 0 ? `${text} · ${say("goes_out", { seconds: left })}` : text;
    toast.querySelector("button").hidden = !offers || (seconds > 0 && left <= 0);
    if (performance.now() >= lasts) {
      toast.hidden = true;
      clearInterval(clock);
    }
  };
  toast.classList.toggle("bad", bad);
  toast.hidden = false;
  step();
  clock = setInterval(step, 250);
}

toast.querySelector("button").addEventListener("click", undo);
addEventListener("online", flush);
// What waits here for its connection goes with the page.
addEventListener("beforeunload", (event) => box.length && event.preventDefault());
if (box.length) flush();
