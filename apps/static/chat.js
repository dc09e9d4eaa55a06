// The chat page: puts the socket, the state and the document together.

import { people, showCount, showMembers, showPicks } from "./chat-lists.js";
import { ChatState, directKey, roomKey } from "./chat-state.js";
import { ConversationLog } from "./chat-view.js";
import { ReconnectingSocket, closeMeaning, socketUrl } from "./socket.js";

const $ = (id) => document.getElementById(id);
const NAME_KEY = "greenroom.name";
const UNSURE_AFTER = 8_000;

let state = null;
let socket = null;
let everOpen = false;

const log = new ConversationLog({
  scroller: $("scroller"),
  list: $("log"),
  pending: $("pending"),
  latest: $("latest"),
  // Whether to risk saying it twice is for the writer to decide, so it is never sent again unasked.
  onAgain(conversation, entry) {
    conversation.pending = conversation.pending.filter((other) => other !== entry);
    log.showPending(conversation);
    const field = $("message");
    field.value = conversation.draft = [entry.text, field.value].filter(Boolean).join("\n");
    field.focus();
  },
});

/* ---------- coming in ---------- */

const pick = (list) => list[Math.floor(Math.random() * list.length)];
function randomName() {
  const first = pick(["amber", "brave", "calm", "dapper", "early", "gentle", "humble", "jolly", "lucky", "mellow", "nimble", "quiet", "sunny", "velvet"]);
  const second = pick(["badger", "cricket", "curtain", "fern", "finch", "lantern", "maple", "moth", "otter", "prompter", "sparrow", "thistle", "usher", "willow"]);
  return `${first}-${second}`;
}

/** Why a name cannot be part of an address, or "". Browsers fold "." and ".." away even when they are escaped. */
function nameProblem(name) {
  if (!name) return "Please give a name.";
  if (name.includes("/") || name.includes("\\")) return "A name cannot contain a slash.";
  if (name === "." || name === "..") return "A name has to be more than dots.";
  return "";
}

/** The browser does not say why a handshake failed; the server does, when asked. */
async function askAboutName(name) {
  try {
    const answer = await fetch(`/chat/names/${encodeURIComponent(name)}`, { cache: "no-store", signal: AbortSignal.timeout(5_000) });
    if (answer.status >= 500) return "unreachable";
    return answer.ok && (await answer.json()).taken ? "taken" : "free";
  } catch {
    return "unreachable";
  }
}

const REFUSED = {
  taken: (name) => `The name “${name}” is taken just now. Please choose another.`,
  unreachable: () => "The server cannot be reached. Please try again in a moment.",
  free: () => "The server refused the connection, though the name is free. Another name may help.",
};

function showDoor(error = "") {
  const leaving = socket;
  socket = null;
  state = null;
  everOpen = false;
  leaving?.stop();
  $("chat-view").hidden = true;
  $("join-view").hidden = false;
  $("leave-chat").hidden = true;
  $("retry").hidden = true;
  $("join").disabled = false;
  $("join-error").textContent = error;
  $("status").textContent = "Not connected";
  $("status").dataset.state = "closed";
  document.title = "Chat · Greenroom";
  if (!$("name").value) $("name").value = randomName();
  $("name").focus();
  $("name").select();
}

function comeIn(name) {
  sessionStorage.setItem(NAME_KEY, name);
  $("join-error").textContent = "";
  $("join").disabled = true;
  everOpen = false;
  state = new ChatState(name, {
    onEntry(conversation, entry) {
      if (conversation === state?.current) log.add(entry);
    },
    onConfirmed(conversation) {
      if (conversation === state?.current) log.showPending(conversation);
    },
    onSelected: showConversation,
  });
  const mine = new ReconnectingSocket(socketUrl(`/ws/chat/${encodeURIComponent(name)}`), {
    onStatus: (status) => mine === socket && onStatus(status),
    onMessage: (data) => mine === socket && onMessage(data),
    diagnose: () => askAboutName(name),
  });
  socket = mine;
  socket.start();
}

/* ---------- the wire ---------- */

function onStatus(status) {
  const { state: now, diagnosis } = status;
  showStatus(status);
  if (now === "open") {
    ask({ type: "watch_rooms" });
    if (everOpen) for (const name of state.reconnected()) ask({ type: "join_room", room_name: name });
    else enterRoom();
    everOpen = true;
  } else if (now === "waiting" || now === "closed") {
    state.lost();
    log.showPending(state.current);
    // Before the first success any clear answer is final: the person at the keyboard can choose another name at once.
    const finalAnswer = now === "closed" || diagnosis === "taken" || diagnosis === "unreachable";
    if (!everOpen && finalAnswer) {
      showDoor(status.refused ? REFUSED[diagnosis](state.me) : `The server closed the connection: ${closeMeaning(status.code)}.`);
    } else if (now === "closed" && diagnosis === "taken") {
      showDoor(REFUSED.taken(state.me));
    }
  }
  if (state) showLists();
}

function showStatus({ state: now, delay, code, reason, diagnosis }) {
  const words = {
    connecting: "Connecting…",
    open: `Connected as ${state.me}`,
    waiting: `${diagnosis === "unreachable" ? "No answer from the server" : "Connection lost"}. Trying again in ${Math.ceil(delay / 1000)} s`,
    closing: "Leaving…",
    closed: `Disconnected: ${reason || closeMeaning(code)} (${code})`,
  };
  $("status").textContent = words[now];
  $("status").dataset.state = now === "closed" && everOpen ? "lost" : now;
  $("retry").hidden = !(everOpen && (now === "waiting" || now === "closed"));
  $("retry").textContent = now === "closed" ? "Connect again" : "Try now";
}

function onMessage(data) {
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    return; // the chat speaks JSON only
  }
  state.apply(frame);
  showLists();
}

function ask(frame) {
  return socket.send(JSON.stringify(frame));
}

/* ---------- what is shown ---------- */

function enterRoom() {
  $("join-view").hidden = true;
  $("chat-view").hidden = false;
  $("leave-chat").hidden = false;
  showConversation();
  $("message").focus();
}

function showConversation() {
  const { current } = state;
  log.show(current);
  $("message").value = current.draft;
  $("send-error").textContent = "";
  showLists();
}

// Many frames can arrive in one turn; the lists are brought up to date once after them.
let listsDue = false;
function showLists() {
  if (listsDue) return;
  listsDue = true;
  setTimeout(() => {
    listsDue = false;
    if (!state) return;
    showPicks(state);
    showMembers(state);
    showHead();
  });
}

function showHead() {
  const { kind, name } = state.current;
  const room = kind === "room" ? state.room(name) : null;
  const away = kind === "dm" && !state.online.has(name);
  const outside = room !== null && !room.joined;
  const size = kind === "all" ? state.online.size : room?.size;
  $("conversation-title").textContent = name;
  $("conversation-about").textContent =
    kind === "dm" ? "Private: only the two of you see this" : `${people(size)}${kind === "room" ? " in this room" : " here"}`;
  $("leave-room").hidden = !room?.joined;
  $("closed-bar").hidden = !outside && !away;
  $("closed-text").textContent = away ? `${name} is not here just now.` : "You are not in this room.";
  $("join-room").hidden = !outside;
  $("join-room").textContent = `Join ${name}`;
  $("send-form").hidden = outside || away;
  $("message").placeholder = kind === "all" ? "Write to everyone" : `Write to ${name}`;
  $("send").disabled = socket.state !== "open";
  showCount($("unread-elsewhere"), state.unreadElsewhere);
  document.title = `${state.unread ? `(${state.unread}) ` : ""}${name} · Greenroom`;
}

/* ---------- drawers on narrow screens ---------- */

const DRAWERS = [["show-rooms", "rooms-panel"], ["show-members", "members-panel"]];

function setDrawer(opener) {
  for (const [button, panel] of DRAWERS) {
    const out = button === opener;
    $(panel).classList.toggle("out", out);
    $(button).setAttribute("aria-expanded", String(out));
    if (out) ($(panel).querySelector("button, input") ?? $(panel)).focus();
  }
  $("backdrop").hidden = !opener;
}

for (const [button, panel] of DRAWERS) {
  $(button).addEventListener("click", () => setDrawer($(panel).classList.contains("out") ? null : button));
}
$("backdrop").addEventListener("click", () => setDrawer(null));
document.addEventListener("keydown", ({ key }) => {
  const [button] = DRAWERS.find(([, panel]) => $(panel).classList.contains("out")) ?? [];
  if (key !== "Escape" || !button) return;
  setDrawer(null);
  $(button).focus();
});

/* ---------- what people do ---------- */

function open(key) {
  setDrawer(null);
  if (key !== state.current.key) state.select(key);
  // On a touch screen a focused field brings up the keyboard, which would hide what was just opened.
  if (matchMedia("(hover: hover)").matches && !$("send-form").hidden) $("message").focus();
}

function joinRoom(name) {
  if (state.rooms.get(name)?.joined) {
    open(roomKey(name));
    return true;
  }
  state.askedRoom = name;
  if (ask({ type: "join_room", room_name: name })) return true;
  $("send-error").textContent = "Not connected: the room was not joined.";
  return false;
}

function leaveRoom(name) {
  if (!ask({ type: "leave_room", room_name: name })) $("send-error").textContent = "Not connected: the room was not left.";
}

function say() {
  const field = $("message");
  const content = field.value;
  if (!content.trim()) return;
  const { kind, name } = state.current;
  const frame = { type: "message", content, timestamp: new Date().toISOString() };
  if (kind === "room") frame.room_name = name;
  if (kind === "dm") frame.to = name;
  if (!ask(frame)) {
    $("send-error").textContent = "Not connected: the message was not sent. It stays here until you are back.";
    return;
  }
  const { current } = state;
  const entry = state.sending(content);
  setTimeout(() => {
    entry.unsure = true;
    if (state?.current === current) log.showPending(current);
  }, UNSURE_AFTER);
  field.value = current.draft = "";
  $("send-error").textContent = "";
  log.showPending(current, true);
}

$("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  const problem = nameProblem(name);
  $("join-error").textContent = problem;
  if (!problem) comeIn(name);
});
$("new-name").addEventListener("click", () => {
  $("name").value = randomName();
  $("join-error").textContent = "";
});
$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("room-name").value.trim();
  if (!name || !joinRoom(name)) return;
  $("room-name").value = "";
  setDrawer(null);
});
$("rooms-panel").addEventListener("click", ({ target }) => {
  const leave = target.closest("[data-leave]");
  const chosen = target.closest("[data-conversation]");
  if (leave) leaveRoom(leave.dataset.leave);
  else if (chosen) open(chosen.dataset.conversation);
});
$("members").addEventListener("click", ({ target }) => {
  const chosen = target.closest("[data-person]");
  if (chosen) open(directKey(chosen.dataset.person));
});
$("join-room").addEventListener("click", () => joinRoom(state.current.name));
$("leave-room").addEventListener("click", () => leaveRoom(state.current.name));
$("send-form").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
$("message").addEventListener("input", () => {
  state.current.draft = $("message").value;
});
$("message").addEventListener("keydown", (event) => {
  // While a word is being composed (Japanese, Chinese ...) Enter belongs to the input method.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
$("leave-chat").addEventListener("click", () => showDoor());
$("retry").addEventListener("click", () => socket?.start());
window.addEventListener("online", () => socket?.state === "waiting" && socket.start());
document.addEventListener("visibilitychange", () => {
  if (!state) return;
  state.setVisible(!document.hidden);
  showLists();
});

$("name").value = sessionStorage.getItem(NAME_KEY) ?? randomName();
showDoor();
