// What the parts of the desk share: the page's places, its words, and how the server is asked.
export const desk = document.getElementById("desk");
export const list = document.getElementById("list");
export const detail = document.getElementById("detail");
export const given = JSON.parse(desk.dataset.given);
export const narrow = matchMedia("(max-width: 60rem)");
let csrf = document.querySelector('meta[name="csrf"]').content;
const line = document.getElementById("line");

export const say = (key, values = {}) => given.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
export const item = () => detail.querySelector(".item");
export const rows = () => [...list.querySelectorAll(".one:not(.over)")];
export const rowOf = (id) => list.querySelector(`.one[data-id="${id}"]`);
export const query = () => location.search;

// The one line above everything; empty hides it.
export function tell(text, kind = "") {
  line.textContent = text;
  line.className = `line ${kind}`;
  line.hidden = !text;
}

// Fragments come from our own server, escaped there; nothing else ever becomes markup.
export function parsed(html) {
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes].map((node) => document.adoptNode(node));
}

export class Refused extends Error {
  constructor(answer, told) {
    super(told.told ?? told.detail ?? String(answer.status));
    this.status = answer.status;
    this.told = told;
  }
}

async function checked(answer) {
  if (answer.ok && !answer.redirected) return answer;
  if (answer.redirected || answer.status === 401) throw new Refused({ status: 401 }, {});
  const json = (answer.headers.get("Content-Type") ?? "").includes("json");
  throw new Refused(answer, json ? await answer.json() : { told: parsedNotice(await answer.text()) });
}

function parsedNotice(html) {
  return new DOMParser().parseFromString(html, "text/html").querySelector("main .alarm")?.textContent.trim();
}

export async function part(path) {
  return (await checked(await fetch(path, { headers: { Accept: "text/html" } }))).text();
}

// Takes the mark of a new log-in from a page of now; false where there is none of this person.
export async function renewed() {
  const page = new DOMParser().parseFromString(await part("/review"), "text/html");
  if (JSON.parse(page.getElementById("desk").dataset.given).reader !== given.reader) return false;
  const before = csrf;
  csrf = page.querySelector('meta[name="csrf"]').content;
  return csrf !== before;
}

// Sent even while the page goes away.
export const beacon = (path, fields) => navigator.sendBeacon(path, new URLSearchParams({ ...fields, csrf }));

export async function post(path, fields) {
  const headers = { Accept: "application/json", "X-CSRF-Token": csrf };
  return checked(await fetch(path, { method: "POST", body: new URLSearchParams(fields), headers }));
}
