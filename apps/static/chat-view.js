// The parts of the chat page that turn names and entries into elements. Every text goes in through
// textContent: what people write is never markup.

const SAME_BREATH = 5 * 60_000;
const AT_THE_END = 60;
const MOST_SHOWN = 600;

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long", year: "numeric" });

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function timeElement(at) {
  const made = element("time", "", clock.format(at));
  made.dateTime = at.toISOString();
  made.title = at.toLocaleString();
  return made;
}

function dayName(at) {
  const today = new Date();
  const yesterday = new Date(today);
  yesterday.setDate(today.getDate() - 1);
  if (at.toDateString() === today.toDateString()) return "Today";
  if (at.toDateString() === yesterday.toDateString()) return "Yesterday";
  return calendar.format(at);
}

/** A person's initial on a colour that is always the same for the same name. */
export function avatar(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  const made = element("span", "avatar", [...name][0]?.toUpperCase() ?? "?");
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", hash % 360);
  return made;
}

/**
 * Make a list show these items ({key, ...}) and keep the elements of those that stay:
 * a button that is replaced under the pointer or the focus would lose its click.
 */
export function syncList(list, items, create, update) {
  const old = new Map([...list.children].map((li) => [li.dataset.key, li]));
  const wanted = new Set(items.map(({ key }) => key));
  for (const [key, li] of old) if (!wanted.has(key)) li.remove();
  let place = list.firstElementChild;
  for (const item of items) {
    let li = old.get(item.key);
    if (!li) {
      li = create(item);
      li.dataset.key = item.key;
    }
    update(li, item);
    if (li === place) place = place.nextElementSibling;
    else list.insertBefore(li, place);
  }
}

/** The log of the conversation shown: keeps to its end unless the reader has scrolled up. */
export class ConversationLog {
  #last = null;
  #stuck = true; // the reader is at the end, and stays there
  #top = 0;
  #due = false;
  #underWay = new Map(); // entry -> its element

  /** onAgain(conversation, entry): somebody wants to send again what was not confirmed. */
  constructor({ scroller, list, pending, latest, onAgain }) {
    Object.assign(this, { scroller, list, pending, latest, onAgain });
    latest.addEventListener("click", () => this.#toEnd());
    scroller.addEventListener("scroll", () => {
      // Not at the end can also mean that more has arrived since; only a way upwards is the reader's own.
      if (this.#atEnd) this.#stuck = latest.hidden = true;
      else if (scroller.scrollTop < this.#top) this.#stuck = false;
      this.#top = scroller.scrollTop;
    });
    // A phone's keyboard takes half of the height: what was at the end must stay in sight.
    new ResizeObserver(() => this.#stuck && this.#toEnd()).observe(scroller);
  }

  get #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < AT_THE_END;
  }

  #toEnd() {
    this.#stuck = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#top = this.scroller.scrollTop;
    this.latest.hidden = true;
  }

  show(conversation) {
    // Old lines of another conversation are not news: a screen reader must not read them all aloud.
    this.list.setAttribute("aria-live", "off");
    this.list.replaceChildren();
    this.#last = null;
    for (const entry of conversation.log) this.#append(entry);
    this.showPending(conversation);
    this.#toEnd();
    setTimeout(() => this.list.setAttribute("aria-live", "polite"), 100);
  }

  add(entry) {
    this.#keepToEnd();
    this.#append(entry);
    // Taking lines away above would move the text under the eyes of somebody who reads further up.
    const most = this.#stuck ? MOST_SHOWN : 5 * MOST_SHOWN;
    while (this.list.childElementCount > most) this.list.firstElementChild.remove();
    if (entry.mine) this.#stuck = true;
    else if (!this.#stuck && entry.kind === "message") this.latest.hidden = false;
  }

  /** What we have sent and not seen come back. Elements that stay are kept: hundreds can be under way. */
  showPending(conversation, toEnd = false) {
    this.#keepToEnd();
    if (toEnd) this.#stuck = true;
    const wanted = new Set(conversation.pending);
    for (const [entry, made] of this.#underWay) {
      if (!wanted.has(entry)) {
        made.remove();
        this.#underWay.delete(entry);
      } else if (entry.unsure && !made.classList.contains("unsure")) {
        const marked = this.#unsure(conversation, entry);
        made.replaceWith(marked);
        this.#underWay.set(entry, marked);
      }
    }
    for (const entry of conversation.pending) {
      if (this.#underWay.has(entry)) continue;
      const made = entry.unsure ? this.#unsure(conversation, entry) : this.#message(entry, true);
      this.#underWay.set(entry, made);
      this.pending.append(made);
    }
  }

  #unsure(conversation, entry) {
    const made = this.#message(entry, true);
    made.classList.add("unsure");
    made.querySelector("time").textContent = "not confirmed by the server";
    const again = element("button", "again", "Take it back into the field");
    again.type = "button";
    again.addEventListener("click", () => this.onAgain(conversation, entry));
    made.append(again);
    return made;
  }

  /** To scroll after each change would lay the page out for each one; in a burst once a frame is enough. */
  #keepToEnd() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      if (this.#stuck) this.#toEnd();
    });
  }

  #append(entry) {
    const previous = this.#last;
    this.#last = entry;
    if (entry.at.toDateString() !== previous?.at.toDateString()) this.list.append(element("div", "day", dayName(entry.at)));
    if (entry.kind === "message") {
      const follow = previous?.kind === "message" && previous.from === entry.from && Math.abs(entry.at - previous.at) < SAME_BREATH
        && entry.at.toDateString() === previous.at.toDateString();
      this.list.append(this.#message(entry, follow));
    } else {
      const made = element("div", `note ${entry.kind}`, entry.text);
      made.append(timeElement(entry.at));
      this.list.append(made);
    }
  }

  #message(entry, follow) {
    const made = element("div", "message");
    made.classList.toggle("mine", entry.mine);
    made.classList.toggle("follow", follow);
    made.classList.toggle("private", entry.private);
    if (!entry.mine && !follow) made.append(avatar(entry.from));
    // Seen by everybody only at the first of a group, but always there for those who listen.
    const who = element("span", follow || entry.mine ? "who sr" : "who", entry.mine ? "You" : entry.from);
    const bubble = element("div", "bubble");
    bubble.append(element("span", "text", entry.text), timeElement(entry.at));
    made.append(who, bubble);
    return made;
  }
}
