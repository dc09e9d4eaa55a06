// A small WebSocket that comes back by itself. Both pages use it.
//
// It reports one of these states through onStatus({state, ...}):
//   connecting
//   open
//   waiting   lost, and a next attempt is planned: delay (ms), code, reason, diagnosis
//   closing   stop() was called, the server has not answered yet
//   closed    final: code, reason, asked (we closed it), refused (the handshake never got through), diagnosis

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;
const REFUSALS_BEFORE_GIVING_UP = 3;

// A server that accepts and then drops at once must not be hammered, so the backoff starts
// afresh only after a connection that has lived for a while.
const STABLE_AFTER = 5_000;

// 1000: it is finished. 1008: the server does not want us. Coming back would be wrong in both cases.
const FINAL_CODES = new Set([1000, 1008]);

const MEANINGS = {
  1000: "normal end",
  1001: "going away: the server is shutting down or the page was left",
  1002: "protocol error",
  1003: "a kind of data the server does not accept",
  1005: "closed without a code",
  1006: "no close frame: the handshake was refused or the connection broke",
  1007: "data that is not what it claims to be, for example text that is not UTF-8",
  1008: "the server refused it as against its rules",
  1009: "a message too big",
  1010: "an extension the server did not offer",
  1011: "an error inside the server",
  1012: "the server is restarting",
  1013: "the server is overloaded, try again later",
  1014: "a gateway got a bad answer",
  1015: "the TLS handshake failed",
};

export function closeMeaning(code) {
  if (code in MEANINGS) return MEANINGS[code];
  if (code >= 4000) return "a code of this application";
  if (code >= 3000) return "a registered code of a library or framework";
  return "unknown code";
}

/** The WebSocket address of a path on the server that this page came from. */
export function socketUrl(path) {
  // Without the leading slash the path would be glued to the host name and could name another host.
  if (!path.startsWith("/")) throw new Error("a path begins with /");
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

export class ReconnectingSocket {
  #url;
  #options;
  #socket = null;
  #timer = null;
  #attempts = 0;
  #refusals = 0;
  #stopping = false;
  // Each attempt gets a number. Whatever arrives for an older number is ignored,
  // so that two attempts can never run, or report, side by side.
  #run = 0;

  /**
   * diagnose: async () => string, asked after a handshake that failed (a browser does not say why).
   * The answer "unreachable" means that no server is there: this is not a refusal and does not count as one.
   */
  constructor(url, { onStatus, onMessage, diagnose, reconnect = true } = {}) {
    this.#url = url;
    this.#options = { onStatus, onMessage, diagnose };
    this.reconnect = reconnect;
    this.state = "closed";
  }

  /** Connect now. Does nothing if an attempt or a connection is alive; cuts a waiting time short. */
  start() {
    if (this.#socket) return;
    this.#cancelTimer();
    if (this.state === "closed") {
      this.#attempts = 0;
      this.#refusals = 0;
    }
    this.#stopping = false;
    const run = ++this.#run;
    let openedAt = 0;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (run !== this.#run) return;
      openedAt = performance.now();
      this.#refusals = 0;
      this.#report({ state: "open" });
    });
    socket.addEventListener("message", (event) => {
      if (run === this.#run) this.#options.onMessage?.(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (run === this.#run) this.#ended(event, openedAt, run);
    });
    this.#report({ state: "connecting" });
  }

  /** Close for good. */
  stop() {
    this.#cancelTimer();
    if (this.#socket) {
      this.#stopping = true;
      this.#report({ state: "closing" });
      this.#socket.close(1000);
    } else if (this.state !== "closed") {
      this.#run += 1;
      this.#report({ state: "closed", code: 1000, reason: "", asked: true, refused: false });
    }
  }

  /** True if the browser took the data; false if there is no open connection. */
  send(data) {
    if (this.state !== "open" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  async #ended(event, openedAt, run) {
    this.#socket = null;
    const { code, reason } = event;
    if (this.#stopping) {
      this.#report({ state: "closed", code, reason, asked: true, refused: false });
      return;
    }

    const refused = openedAt === 0;
    let diagnosis;
    if (refused) {
      diagnosis = await this.#options.diagnose?.();
      if (run !== this.#run) return;
      if (diagnosis !== "unreachable") this.#refusals += 1;
    } else if (performance.now() - openedAt >= STABLE_AFTER) {
      this.#attempts = 0;
    }

    const givenUp = this.#refusals >= REFUSALS_BEFORE_GIVING_UP;
    if (!this.reconnect || FINAL_CODES.has(code) || givenUp) {
      this.#report({ state: "closed", code, reason, asked: false, refused, diagnosis });
      return;
    }

    // Jitter: after a restart of the server the clients must not all come back in the same instant.
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    const delay = Math.round(ceiling * (0.5 + Math.random() / 2));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.start(), delay);
    this.#report({ state: "waiting", delay, code, reason, refused, diagnosis });
  }

  #cancelTimer() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #report(status) {
    this.state = status.state;
    this.#options.onStatus?.(status);
  }
}
