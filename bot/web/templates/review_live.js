// What happens while the page is open: new work, what others decide, who has what open.
import { desk, given, item, list, part, query, rowOf, rows, say, tell } from "./review_parts.js";
import { again, current, forget, hold, holder, open, release, reload, typing } from "./review_show.js";
import { flush, mine } from "./review_send.js";

const fresh = document.getElementById("new");
const line = document.getElementById("line");
const title = document.title;
const MINE_MS = 3000;
const FADE_MS = 4000;
let asking = 0;
let came = 0;

const listed = () => new URLSearchParams(query()).get("state") ?? "review";
const moment = () => list.querySelector(".rows").dataset.moment;

async function look() {
  const asked = new URLSearchParams(query());
  asked.set("moment", moment());
  try {
    const { ids } = JSON.parse(await part(`/review/fresh?${asked}`));
    came = ids.filter((id) => !rowOf(id) && String(id) !== current() && !mine.has(String(id))).length;
    fresh.textContent = say("new", { number: came });
    fresh.hidden = !came;
    if (came && !current() && !rows().length) await take();
  } catch (error) {
    // What else goes wrong with the connection is told by the verdicts.
    if (error.status === 401) tell(say("logged_out"), "bad");
  }
}

export async function take() {
  await reload();
  came = 0;
  fresh.hidden = true;
  if (!current() && rows()[0] && !matchMedia("(max-width: 60rem)").matches) open(rows()[0].dataset.id);
}

function moved({ moves, waiting }) {
  for (const { id, by, state } of moves) {
    const name = given.states[state] ?? state;
    const ours = by === given.reader && Date.now() - (mine.get(String(id)) ?? 0) < MINE_MS;
    forget(id);
    if (state === listed()) {
      mine.delete(String(id));
      clearTimeout(asking);
      asking = setTimeout(look, 200);
    } else if (!ours) over(rowOf(id), by, name);
    if (String(id) === current() && !ours) here(by, state, name);
  }
  document.title = waiting ? `(${waiting}) ${title}` : title;
  const number = document.querySelector('.queue .tabs [data-code="review"] .number');
  if (number) number.textContent = waiting;
}

function beside(row, text) {
  row.querySelector(".held")?.remove();
  if (!text) return;
  const told = document.createElement("i");
  told.className = "held";
  told.textContent = text;
  row.querySelector("a").append(told);
}

// Nobody has a name of these.
const PROGRAM = new Set(["policy", "responder", "sender", "poller", "backfill"]);
const happened = (name, state) => (name && !PROGRAM.has(name) ? say("decided_by", { name, state }) : say("moved", { state }));

// A row that somebody else has decided says so, and goes.
function over(row, name, state) {
  if (!row) return;
  row.classList.add("over");
  beside(row, happened(name, state));
  setTimeout(() => row.remove(), FADE_MS);
}

// The comment on the screen has moved: what has been written is not taken away.
function here(name, state, word) {
  const was = item().dataset.state;
  if (state === was) return;
  if (!typing() && (was === "new" || state === "new" || was !== "review")) return void again();
  const line = item().querySelector(".changed");
  line.textContent = happened(state === "new" ? "" : name, word);
  line.hidden = false;
}

function held(names) {
  for (const row of list.querySelectorAll(".one:not(.over)")) {
    const name = names[row.dataset.id] === given.reader ? "" : (names[row.dataset.id] ?? "");
    if (name) row.dataset.held = name;
    else delete row.dataset.held;
    beside(row, name ? say("held", { name }) : "");
  }
  const name = names[current()];
  if (item() && given.decides) holder(name && name !== given.reader ? name : "");
}

let source;
let lost = 0;
function listen() {
  source = new EventSource("/review/events");
  source.addEventListener("open", () => {
    lost = 0;
    tell("");
    look();
    flush();
  });
  source.addEventListener("moved", (event) => moved(JSON.parse(event.data)));
  source.addEventListener("held", (event) => held(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    // Each stream ends after a while; only when the next one does not come, the server is away.
    if (lost++ && source.readyState !== EventSource.CLOSED && line.hidden) tell(say("offline_none"), "bad");
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, 10000);
    look();
  });
}

listen();
fresh.addEventListener("click", take);
setInterval(() => hold("take"), (1000 * given.hold_s) / 3);
addEventListener("pagehide", () => {
  source.close();
  release();
});
addEventListener("pageshow", (event) => event.persisted && listen());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  hold("take");
  look();
});
desk.addEventListener("looked", look);
