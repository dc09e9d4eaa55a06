// The two lists beside the conversation: where one can be, and who is there.

import { roomKey } from "./chat-state.js";
import { avatar, syncList } from "./chat-view.js";

const $ = (id) => document.getElementById(id);
const MOST_PEOPLE_SHOWN = 200;

export function showPicks(state) {
  const seen = (key) => ({ key, unread: state.conversations.get(key)?.unread ?? 0, current: state.current.key === key });
  const everyone = { ...seen("all"), label: "Everyone", size: state.online.size, joined: true };
  const rooms = state.listedRooms.map(({ name, size, joined }) => ({ ...seen(roomKey(name)), label: name, size, joined }));
  syncList($("rooms"), [everyone, ...rooms], newPick, updatePick);
  const directs = state.directs.map(({ key, name }) => ({ ...seen(key), label: name, size: state.online.has(name) ? "" : "away", joined: true }));
  $("direct-part").hidden = directs.length === 0;
  syncList($("direct"), directs, newPick, updatePick);
}

function newPick({ key, label }) {
  const li = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "pick";
  button.dataset.conversation = key;
  for (const part of ["label", "sr", "size", "count"]) {
    const span = Object.assign(document.createElement("span"), { className: part });
    if (part === "size" || part === "count") span.setAttribute("aria-hidden", "true");
    button.append(span);
  }
  button.querySelector(".label").textContent = label;
  li.append(button);
  if (key.startsWith("room:")) {
    const leave = Object.assign(document.createElement("button"), { type: "button", className: "leave", textContent: "×", title: "Leave" });
    leave.setAttribute("aria-label", `Leave ${label}`);
    leave.dataset.leave = label;
    li.append(leave);
  }
  return li;
}

export const people = (count) => `${count} ${count === 1 ? "person" : "people"}`;

function updatePick(li, { size, joined, unread, current }) {
  li.classList.toggle("current", current);
  li.classList.toggle("outside", !joined);
  const button = li.querySelector(".pick");
  if (current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  // Two numbers side by side would be a riddle: what is unread matters more.
  button.querySelector(".size").textContent = unread ? "" : size;
  showCount(button.querySelector(".count"), unread);
  // A bare number says little to those who listen, so they get a word with it.
  const number = unread ? `${unread} unread` : typeof size === "number" ? people(size) : size;
  button.querySelector(".sr").textContent = ` ${number}${joined ? "" : ", not joined"}`;
  const leave = li.querySelector(".leave");
  if (leave) leave.hidden = !joined;
}

export function showCount(element, unread) {
  element.hidden = unread === 0;
  element.textContent = unread > 99 ? "99+" : unread;
  element.title = `${unread} unread`;
}

export function showMembers(state) {
  const members = state.members;
  const shown = (members ?? []).slice(0, MOST_PEOPLE_SHOWN);
  $("members-title").textContent = members ? `Members · ${members.length}` : "Members";
  syncList($("members"), shown.map((name) => ({ key: name, me: name === state.me })), newPerson, () => {});
  if (!members) $("members-hint").textContent = "Join the room to see who is in it.";
  else if (members.length > shown.length) $("members-hint").textContent = `and ${members.length - shown.length} more`;
  else if (members.some((name) => name !== state.me) && state.current.kind !== "dm") $("members-hint").textContent = "Choose a name to write to them alone.";
  else $("members-hint").textContent = members.length === 1 ? "Nobody else yet. Open this page in a second tab." : "";
}

function newPerson({ key: name, me }) {
  const li = document.createElement("li");
  const person = document.createElement(me ? "div" : "button");
  person.className = "person";
  if (!me) {
    person.type = "button";
    person.dataset.person = name;
    person.title = `Write to ${name} alone`;
  }
  const label = Object.assign(document.createElement("span"), { className: "label", textContent: me ? `${name} (you)` : name });
  person.append(avatar(name), label);
  li.append(person);
  return li;
}
