// Sends pictures to the routes of transfer_core/web/uploads.py. Goes before the script of a component, which has one file alone.

const AT_ONCE = 4; // files on their way; browsers open six connections to one server
const BATCH = 1000; // files asked about in one question
const PIECE = 8 * 2 ** 20; // bytes; a larger file comes in pieces, so that a broken connection costs at most one
const PAUSE = 1500; // milliseconds before another try
const TRIES = 4; // for a file that the server would take and that still does not get there
const FATAL = ["access", "foreign-origin", "stale-page", "unknown-host", "disk-full", "no-such-project", "bad-request"];

class Refusal extends Error {
  constructor(error) {
    super([error.message, error.fix].filter(Boolean).join(" "));
    this.code = error.code;
  }
}

const wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

const say = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

// What tells this browser from others: two that send folders of one name at the same time make two projects.
const whichBrowser = () => {
  try {
    const known = localStorage.getItem("transfer-studio") || crypto.getRandomValues(new Uint32Array(4)).join("-");
    localStorage.setItem("transfer-studio", known);
    return known;
  } catch {
    return ""; // it keeps nothing of pages
  }
};

const number = value => value.toLocaleString("en-US");

// What the server is asked through: `server` is what pages/ui/sending.py hands to the page.
class Line {
  constructor(server) {
    this.server = server;
  }

  async ask(name, question) {
    return this.send("POST", name, JSON.stringify(question), { "content-type": "application/json" });
  }

  async put(parameters, body, signal) {
    return this.send("PUT", `file?${new URLSearchParams(parameters)}`, body, {}, signal);
  }

  async send(method, name, body, headers, signal) {
    const { prefix, token, language } = this.server;
    const response = await fetch(`${location.origin}${prefix}/${name}`, {
      method,
      body,
      signal,
      credentials: "same-origin",
      headers: { ...headers, "x-studio-token": token, "x-studio-language": language },
    });
    const received = response.headers.get("x-studio-received");
    if (received !== null) return { received: Number(received) };
    const answer = await response.json().catch(() => ({ error: { code: "access", message: this.server.words.refused } }));
    if (answer.error) throw new Refusal(answer.error);
    if (!response.ok) throw new Refusal({ code: "access", message: this.server.words.refused });
    return answer;
  }

  // Whether the server is within reach; what it answers does not matter.
  async reaches() {
    return fetch(`${location.origin}/_stcore/health`, { cache: "no-store" }).then(() => true, () => false);
  }
}

// One file, as often as it takes. `told(bytes)` is called with what arrived; returns once it is whole.
async function sendFile(line, project, door, item, signal, told) {
  const { file, path } = item;
  const about = [path, file.size, file.lastModified || 0];
  const parameters = { project, door, path, size: about[1], modified: about[2] };
  for (let attempt = 1; ; attempt++) {
    try {
      let offset = file.size > PIECE ? (await line.ask("offset", { project, door, file: about })).offset : 0;
      told(offset);
      for (let whole = false; !whole; ) {
        const piece = file.size > PIECE ? file.slice(offset, offset + PIECE) : file;
        const answer = await line.put({ ...parameters, offset }, piece, signal);
        offset = answer.received;
        whole = offset >= file.size;
        told(offset);
      }
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof Refusal) {
        if (!["on-its-way", "other-offset", "cut-off"].includes(error.code) || attempt >= TRIES) throw error;
      } else if (await line.reaches()) {
        // The server is there, so the file itself may be what can't be read.
        if (attempt >= TRIES) throw new Refusal({ message: line.server.words.unreadable });
      } else {
        attempt--;
      }
      await wait(PAUSE);
    }
  }
}

// Many files, of which only those are sent that are not there yet. It goes on while other pages are looked at.
class Upload {
  constructor(line, door, items) {
    Object.assign(this, { line, door, items, project: null, state: "sending", problem: null, refused: [], files: 0, bytes: 0, unclear: null });
    this.here = 0;
    this.allBytes = items.reduce((sum, item) => sum + item.file.size, 0);
    this.abort = new AbortController();
    this.listeners = new Set();
    this.marks = [];
  }

  // `name` makes a new project of that name, or goes on with the one whose upload was interrupted.
  async run(project, name) {
    const warn = event => event.preventDefault();
    addEventListener("beforeunload", warn);
    try {
      this.project = project || (await this.line.ask("begin", { name, browser: whichBrowser() })).project;
      this.tell();
      const missing = await this.missing();
      this.marks = [[performance.now(), this.bytes]];
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.sendNext(missing)));
      const stopped = this.abort.signal.aborted;
      // One that was stopped stays open, so that the same choice goes on with it.
      if (!stopped) this.unclear = (await this.line.ask("done", { project: this.project })).unclear;
      this.state = stopped ? "stopped" : "finished";
    } catch (error) {
      this.abort.abort();
      this.state = "failed";
      this.problem = error instanceof Refusal ? error.message : this.line.server.words.unreachable;
    }
    removeEventListener("beforeunload", warn);
    this.tell();
  }

  async missing() {
    const missing = [];
    for (let from = 0; from < this.items.length; from += BATCH) {
      const batch = this.items.slice(from, from + BATCH);
      const files = batch.map(({ file, path }) => [path, file.size, file.lastModified || 0]);
      const have = new Set((await this.line.ask("have", { project: this.project, door: this.door, files })).have);
      batch.forEach((item, index) => {
        if (have.has(index)) {
          this.here++;
          this.files++;
          this.bytes += item.file.size;
        } else {
          missing.push(item);
        }
      });
      this.tell();
    }
    return missing.reverse();
  }

  async sendNext(missing) {
    while (missing.length && !this.abort.signal.aborted) {
      const item = missing.pop();
      let counted = 0;
      const told = bytes => {
        this.bytes += bytes - counted;
        counted = bytes;
        this.tell();
      };
      try {
        await sendFile(this.line, this.project, this.door, item, this.abort.signal, told);
        this.files++;
      } catch (error) {
        if (this.abort.signal.aborted) return;
        if (!(error instanceof Refusal) || FATAL.includes(error.code)) throw error;
        told(item.file.size);
        this.refused.push({ path: item.path, sentence: error.message });
      }
      this.tell();
    }
  }

  // Seconds until all is sent, by the pace of the last half minute; null before there is one.
  left() {
    const now = performance.now();
    this.marks.push([now, this.bytes]);
    while (this.marks.length > 2 && now - this.marks[0][0] > 30000) this.marks.shift();
    const [[begun, before]] = this.marks;
    return now - begun > 1000 && this.bytes > before ? (this.allBytes - this.bytes) / ((this.bytes - before) / (now - begun)) / 1000 : null;
  }

  stop() {
    this.abort.abort();
  }

  tell() {
    this.listeners.forEach(listener => listener());
  }
}
