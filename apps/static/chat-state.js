// What the chat knows, without a page and without a socket: frames go in, conversations come out.
// A conversation's key is "all", "room:NAME" or "dm:NAME".

// Without a bound a page that stays open for days would grow for days.
const LONGEST_LOG = 500;
const ALL = "all";
export const roomKey = (name) => `room:${name}`;
export const directKey = (name) => `dm:${name}`;

const names = (value) => (Array.isArray(value) ? value.map(String) : []);
const given = (value) => value !== undefined && value !== null;

/** A frame's own time if it is one, else now: senders may put in anything, or nothing. */
function timeOf(timestamp, now) {
  const known = typeof timestamp === "string" || typeof timestamp === "number";
  const at = known ? new Date(timestamp) : now;
  return Number.isNaN(at.getTime()) ? now : at;
}

export class ChatState {
  /** onEntry(conversation, entry): a line was added. onConfirmed(conversation): one of ours came back. onSelected(): the conversation shown changed. */
  constructor(me, { onEntry, onConfirmed, onSelected }) {
    this.me = me;
    this.online = new Set([me]);
    this.rooms = new Map(); // name -> {name, size, members, joined}
    this.conversations = new Map();
    this.visible = true;
    this.askedRoom = null;
    this.on = { onEntry, onConfirmed, onSelected };
    this.current = this.conversation(ALL);
  }

  conversation(key) {
    let found = this.conversations.get(key);
    if (!found) {
      const [kind, name] = key === ALL ? [ALL, "Everyone"] : [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
      found = { key, kind, name, log: [], pending: [], unread: 0, draft: "" };
      this.conversations.set(key, found);
    }
    return found;
  }

  room(name) {
    let found = this.rooms.get(name);
    if (!found) {
      found = { name, size: 0, members: new Set(), joined: false };
      this.rooms.set(name, found);
    }
    return found;
  }

  select(key) {
    this.current = this.conversation(key);
    this.current.unread = 0;
    this.on.onSelected();
  }

  setVisible(visible) {
    this.visible = visible;
    if (visible) this.current.unread = 0;
  }

  get unread() {
    let sum = 0;
    for (const { unread } of this.conversations.values()) sum += unread;
    return sum;
  }

  get unreadElsewhere() {
    return this.unread - this.current.unread;
  }

  /** Rooms worth a line: those with people, those we are in, those with something to read. */
  get listedRooms() {
    const listed = [...this.rooms.values()].filter(
      (room) => room.joined || room.size > 0 || this.conversations.get(roomKey(room.name))?.log.length || this.current.key === roomKey(room.name),
    );
    return listed.sort((a, b) => b.joined - a.joined || a.name.localeCompare(b.name));
  }

  get directs() {
    return [...this.conversations.values()].filter(({ kind }) => kind === "dm");
  }

  /** The members of the conversation shown, or null if we may not know them. Ourselves first. */
  get members() {
    const { kind, name } = this.current;
    let found;
    if (kind === ALL) found = this.online;
    else if (kind === "dm") found = new Set([this.me, name]);
    else {
      const room = this.room(name);
      if (!room.joined) return null;
      found = room.members;
    }
    return [...found].sort((a, b) => (b === this.me) - (a === this.me) || a.localeCompare(b));
  }

  /** The rooms to ask for again after a new connection; until the server answers we are in none of them. */
  reconnected() {
    const again = [...this.rooms.values()].filter((room) => room.joined).map((room) => room.name);
    for (const room of this.rooms.values()) Object.assign(room, { joined: false, size: 0, members: new Set() });
    for (const conversation of this.conversations.values()) {
      if (conversation.log.length > 0 || again.includes(conversation.name)) {
        this.note(conversation.key, "Connected again. What was said meanwhile is missing here.");
      }
    }
    return again;
  }

  note(key, text, kind = "note", at = new Date()) {
    this.#add(this.conversation(key), { kind, text, at });
  }

  /** Remember what we send until the server's copy of it arrives. */
  sending(content) {
    const entry = { kind: "message", from: this.me, text: content, at: new Date(), mine: true, private: this.current.kind === "dm", unsure: false };
    this.current.pending.push(entry);
    return entry;
  }

  /** The connection is gone: nobody can tell whether what was under way has arrived. */
  lost() {
    for (const { pending } of this.conversations.values()) {
      for (const entry of pending) entry.unsure = true;
    }
  }

  apply(frame, now = new Date()) {
    if (frame === null || typeof frame !== "object") return;
    const who = String(frame.client_id);
    const mine = who === this.me;
    switch (frame.type) {
      case "members": {
        this.online = new Set([...names(frame.client_ids), this.me]);
        for (const [name, members] of Object.entries(frame.rooms ?? {})) {
          const room = this.room(name);
          room.members = new Set(names(members));
          room.size = room.members.size;
        }
        break;
      }
      case "user_joined":
        this.online.add(who);
        this.note(ALL, mine ? `You came in as ${who}` : `${who} came in`, "note", now);
        this.#noteDirect(who, `${who} is here again`, now);
        break;
      case "user_left":
        this.online.delete(who);
        for (const room of this.rooms.values()) this.#outOfRoom(room, who, now);
        this.note(ALL, `${who} left`, "note", now);
        this.#noteDirect(who, `${who} left`, now);
        break;
      case "room_join": {
        const room = this.room(String(frame.room_name));
        room.members.add(who);
        if (mine) this.#weAreIn(room);
        // A room's first size comes in a "rooms" frame; until then it has at least those we know of.
        room.size = Math.max(room.size, room.members.size);
        this.note(roomKey(room.name), mine ? `You joined ${room.name}` : `${who} joined`, "note", now);
        break;
      }
      case "room_members": {
        const room = this.room(String(frame.room_name));
        room.members = new Set(names(frame.client_ids));
        room.size = room.members.size;
        this.#weAreIn(room);
        break;
      }
      case "room_leave": {
        const room = this.room(String(frame.room_name));
        if (mine && room.joined) {
          room.joined = false;
          room.members.delete(who);
          this.note(roomKey(room.name), `You left ${room.name}`, "note", now);
        } else this.#outOfRoom(room, who, now);
        break;
      }
      case "rooms":
        for (const [name, size] of Object.entries(frame.rooms ?? {})) this.room(name).size = Number(size) || 0;
        break;
      case "message":
      case "message_sent": // our own copy of a private message
        this.#message(frame, who, mine, now);
        break;
      case "error": {
        const where = given(frame.path) ? ` (at ${frame.path})` : "";
        this.note(this.current.key, `The server did not accept this: ${frame.detail ?? frame.code}${where}`, "error", now);
        break;
      }
      default: // a newer server may know frames that this page does not
    }
  }

  #weAreIn(room) {
    room.joined = true;
    room.members.add(this.me);
    if (this.askedRoom === room.name) {
      this.askedRoom = null;
      this.select(roomKey(room.name));
    }
  }

  #outOfRoom(room, who, now) {
    const known = room.members.delete(who);
    if (known && room.joined) this.note(roomKey(room.name), `${who} left`, "note", now);
  }

  #noteDirect(who, text, now) {
    if (this.conversations.has(directKey(who))) this.note(directKey(who), text, "note", now);
  }

  #message(frame, who, mine, now) {
    let key = ALL;
    if (given(frame.to)) key = directKey(mine ? String(frame.to) : who);
    else if (given(frame.room_name)) key = roomKey(String(frame.room_name));
    const conversation = this.conversation(key);
    const text = typeof frame.content === "string" ? frame.content : JSON.stringify(frame.content) ?? "";
    if (mine) {
      const under = conversation.pending.findIndex((entry) => entry.text === text);
      if (under >= 0) {
        conversation.pending.splice(under, 1);
        this.on.onConfirmed(conversation);
      }
    } else if (conversation !== this.current || !this.visible) conversation.unread += 1;
    this.#add(conversation, { kind: "message", from: who, text, at: timeOf(frame.timestamp, now), mine, private: given(frame.to) });
  }

  #add(conversation, entry) {
    conversation.log.push(entry);
    if (conversation.log.length > LONGEST_LOG) conversation.log.shift();
    this.on.onEntry(conversation, entry);
  }
}
