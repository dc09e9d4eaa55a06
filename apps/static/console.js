// A small console: shows every frame of one WebSocket in both directions.

import { ReconnectingSocket, closeMeaning, socketUrl } from "./socket.js";

const $ = (id) => document.getElementById(id);
const MOST_ENTRIES = 500;
const MOST_CHARACTERS = 20_000;
const MOST_HEX_BYTES = 1024;
const AT_THE_END = 60;
// A thousand brackets in each other would be indented into megabytes of blanks.
const DEEPEST = 50;

const ENDPOINTS = [
  {
    path: "/ws",
    about: "Echo: the text x comes back as “Echo: x”.",
    examples: ["hello", "Grüße 🌿", ""],
  },
  {
    path: "/ws/advanced",
    about: "Bytes come back as the same bytes, a JSON object or array as {\"echo\": it}, and any other text x as “Text received: x”.",
    examples: ["hello", '{"a":1}', "[1,2]", '{"broken":', { bytes: "hello, bytes" }],
  },
  {
    path: "/ws/thread-safe/{client_id}",
    about: "A welcome, and then a real background thread tells every connection a “system_notification” every 30 seconds; mute leaves you out, unmute takes you in again, and any other text is printed on the server.",
    examples: ['{"type":"mute"}', '{"type":"unmute"}', "hello"],
  },
  {
    path: "/ws/simple/{client_id}",
    about: "A welcome through the outbox, any JSON comes back as an “echo” with the time, a background thread sends “background” every 5 seconds, and there is a heartbeat.",
    examples: ['{"hello":"world"}', "[1,2,3]", '"just a string"', "not JSON"],
  },
];

let socket = null;
const counts = { sent: 0, received: 0 };

/* ---------- which endpoint ---------- */

const template = () => ENDPOINTS[$("endpoint").selectedIndex];
const needsClient = () => template().path.includes("{client_id}");

function concretePath() {
  return template().path.replace("{client_id}", encodeURIComponent($("client-id").value.trim()));
}

/** The endpoint for ?path=: one of the list, one of the list with its client_id filled in, or one we do not know. */
function choose(path) {
  let index = ENDPOINTS.findIndex((endpoint) => endpoint.path === path);
  if (index < 0) {
    index = ENDPOINTS.findIndex(({ path: known }) => {
      const start = known.split("{client_id}")[0];
      const client = path.slice(start.length);
      return known !== start && path.startsWith(start) && client && !/[/?]/.test(client);
    });
    if (index >= 0) $("client-id").value = decode(path.slice(ENDPOINTS[index].path.indexOf("{")));
  }
  if (index < 0 && path.startsWith("/")) {
    index = ENDPOINTS.push({ path, about: "An endpoint that this page knows nothing about.", examples: ["hello", "{}"] }) - 1;
  }
  return Math.max(index, 0);
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showEndpoint() {
  const { about, examples } = template();
  $("about").textContent = about;
  $("client-id-part").hidden = !needsClient();
  $("client-id").required = needsClient();
  $("examples").replaceChildren(...examples.map((example) => {
    const bytes = typeof example === "object";
    const text = bytes ? example.bytes : example;
    const chip = Object.assign(document.createElement("button"), { type: "button", className: "chip" });
    if (bytes) chip.append(Object.assign(document.createElement("span"), { className: "kind", textContent: "bytes" }));
    chip.append(text === "" ? "(empty text)" : text);
    chip.addEventListener("click", () => {
      $("message").value = text;
      send(text, bytes);
    });
    const li = document.createElement("li");
    li.append(chip);
    return li;
  }));
  showAddress();
}

function showAddress() {
  $("address").textContent = socketUrl(concretePath());
}

/* ---------- the wire ---------- */

function connect() {
  $("connect-error").textContent = "";
  if (needsClient()) {
    const client = $("client-id").value.trim();
    // A browser folds "." and ".." away in an address, even when they are escaped.
    if (!client || client.includes("/") || client === "." || client === "..") {
      $("connect-error").textContent = "Please give a client_id without a slash.";
      $("client-id").focus();
      return;
    }
  }
  socket = new ReconnectingSocket(socketUrl(concretePath()), {
    onStatus,
    onMessage: (data) => show("received", data),
    reconnect: $("reconnect").checked,
  });
  socket.start();
}

function onStatus({ state, delay, code, reason, asked, refused }) {
  const alive = state !== "closed";
  $("status").dataset.state = state;
  $("status").textContent = {
    connecting: "Connecting…",
    open: "Connected",
    waiting: `Trying again in ${(delay / 1000).toFixed(1)} s`,
    closing: "Closing…",
    closed: "Not connected",
  }[state];
  $("connect").disabled = alive;
  $("disconnect").disabled = !alive || state === "closing";
  $("endpoint").disabled = alive;
  $("client-id").disabled = alive;

  if (state === "connecting") event(`Connecting to ${$("address").textContent}`);
  if (state === "open") event("Open");
  if (state === "waiting" || state === "closed") {
    const meaning = refused ? "the handshake did not get through; a browser is not told why" : closeMeaning(code);
    const by = asked ? " (asked for here)" : "";
    event(`Closed with ${code}: ${meaning}${by}${reason ? `. Reason: “${reason}”` : ""}`, !asked && code !== 1000);
  }
  if (state === "waiting") event(`Trying again in ${(delay / 1000).toFixed(1)} s`);
}

function send(text, asBytes) {
  const data = asBytes ? new TextEncoder().encode(text) : text;
  const taken = socket?.send(data) ?? false;
  $("send-error").textContent = taken ? "" : "Not connected: nothing was sent.";
  if (taken) show("sent", asBytes ? data.buffer : data);
}

/* ---------- the log ---------- */

const time = () => {
  const now = new Date();
  return `${now.toLocaleTimeString(undefined, { hour12: false })}.${String(now.getMilliseconds()).padStart(3, "0")}`;
};

const cut = (text) =>
  text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}\n… and ${text.length - MOST_CHARACTERS} more characters` : text;

function element(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/**
 * JSON with line breaks and indentation, otherwise letter by letter as it went over the wire:
 * to parse it and to print the value would round big numbers and swallow repeated keys.
 */
function indented(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g);
  let depth = 0;
  let out = "";
  for (const [at, token] of tokens.entries()) {
    const newLine = () => `\n${"  ".repeat(depth)}`;
    const opens = token === "{" || token === "[";
    const closes = token === "}" || token === "]";
    const wasOpened = tokens[at - 1] === "{" || tokens[at - 1] === "[";
    if (closes) {
      depth -= 1;
      if (!wasOpened) out += newLine();
    } else if (wasOpened) out += newLine();
    out += token;
    if (opens) depth += 1;
    if (depth > DEEPEST) return text;
    if (token === ",") out += newLine();
    if (token === ":") out += " ";
  }
  return out;
}

/** The kind of a text frame, and how to show it. Numbers and the like are JSON too, but reading them as text says more. */
function read(text) {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === "object") return ["JSON", cut(text.length <= MOST_CHARACTERS ? indented(text) : text)];
  } catch {
    // not JSON, then
  }
  return ["text", text === "" ? "(empty)" : cut(text)];
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, MOST_HEX_BYTES); at += 16) {
    const row = [...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    lines.push(`${at.toString(16).padStart(4, "0")}  ${row.join(" ")}`);
  }
  if (bytes.length > MOST_HEX_BYTES) lines.push(`… and ${bytes.length - MOST_HEX_BYTES} more bytes`);
  return lines.join("\n") || "(empty)";
}

function decoded(bytes) {
  try {
    return `as UTF-8: ${cut(new TextDecoder("utf-8", { fatal: true }).decode(bytes))}`;
  } catch {
    return "not UTF-8";
  }
}

function show(direction, data) {
  const entry = element("div", `frame ${direction}`, "");
  const meta = element("div", "meta", "");
  entry.append(meta);
  let kind;
  if (typeof data === "string") {
    const [name, text] = read(data);
    kind = `${name} · ${new TextEncoder().encode(data).length} bytes`;
    entry.dataset.kind = name.toLowerCase();
    entry.append(element("pre", "body", text));
  } else {
    const bytes = new Uint8Array(data);
    kind = `binary · ${bytes.length} bytes`;
    entry.dataset.kind = "binary";
    entry.append(element("pre", "body", hex(bytes)), element("pre", "decoded", decoded(bytes)));
  }
  meta.append(element("b", "", direction === "sent" ? "↑ sent" : "↓ received"), element("span", "", kind), element("time", "", time()));
  counts[direction] += 1;
  append(entry);
}

function event(text, bad = false) {
  const entry = element("div", `frame event${bad ? " bad" : ""}`, "");
  const meta = element("div", "meta", "");
  meta.append(element("time", "", time()));
  entry.append(meta, element("span", "body", text));
  append(entry);
}

let scrollDue = false;
function append(entry) {
  // To measure after each frame would lay the page out for each one; in a burst once is enough.
  if (!scrollDue) {
    scrollDue = true;
    const scroller = $("scroller");
    const follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_THE_END;
    requestAnimationFrame(() => {
      scrollDue = false;
      if (follow) scroller.scrollTop = scroller.scrollHeight;
    });
  }
  $("log").append(entry);
  while ($("log").childElementCount > MOST_ENTRIES) $("log").firstElementChild.remove();
  showCounts();
}

function showCounts() {
  $("counts").textContent = `${counts.sent} sent, ${counts.received} received`;
  $("empty").hidden = $("log").childElementCount > 0;
}

/* ---------- what people do ---------- */

$("connect-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  // Enter in a field submits the form too, even while a connection is open.
  if (!socket || socket.state === "closed") connect();
});
$("disconnect").addEventListener("click", () => socket?.stop());
$("reconnect").addEventListener("change", () => {
  if (socket) socket.reconnect = $("reconnect").checked;
});
$("endpoint").addEventListener("change", () => {
  history.replaceState(null, "", `?path=${encodeURIComponent(template().path)}`);
  showEndpoint();
});
$("client-id").addEventListener("input", showAddress);
$("send-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  send($("message").value, false);
});
$("send-bytes").addEventListener("click", () => send($("message").value, true));
$("message").addEventListener("keydown", (pressed) => {
  if (pressed.key !== "Enter" || !(pressed.ctrlKey || pressed.metaKey)) return;
  pressed.preventDefault();
  send($("message").value, false);
});
$("clear").addEventListener("click", () => {
  $("log").replaceChildren();
  counts.sent = counts.received = 0;
  showCounts();
});

$("client-id").value = `guest-${Math.floor(1000 + Math.random() * 9000)}`;
const wanted = choose(new URLSearchParams(location.search).get("path") ?? ENDPOINTS[0].path);
$("endpoint").append(...ENDPOINTS.map(({ path }) => new Option(path, path)));
$("endpoint").selectedIndex = wanted;
showEndpoint();
