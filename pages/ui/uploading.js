// The field that pictures are dropped on, and what it says while they are on their way.

// Kept beside the page and not in it: an upload goes on when another page of the app is opened.
const uploads = (window.transferStudioUploads ??= new Map());
const LISTED = 20; // problems that are shown

export default function ({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(`.${name}`);
  const { words, server, id, project, name, classes, extensions, phone } = data;
  const line = new Line({ ...server, words });
  const upload = uploads.get(id);
  const view = parentElement.studio ?? (parentElement.studio = { asked: null, said: "" });
  view.id = id;

  const show = (part, shown) => (find(part).hidden = !shown);
  const text = (part, sentence) => {
    // Screen readers read a status again whenever it is written, so only what is new is written.
    if (find(part).textContent !== sentence) find(part).textContent = sentence;
  };

  for (const part of ["lead", "hint", "class-label"]) text(part, words[part.replace("-", "_")]);
  for (const part of ["choose-folder", "choose-files", "send", "cancel", "stop", "go", "again"]) {
    text(part, words[part.replace("-", "_")]);
  }
  find("progress").setAttribute("aria-label", words.progress);
  find("classes").replaceChildren(...classes.map(label => Object.assign(document.createElement("option"), { value: label })));
  // Telephones can neither choose folders nor drop anything.
  const folders = "webkitdirectory" in find("in-folder") && !matchMedia("(hover: none) and (pointer: coarse)").matches;
  show("choose-folder", folders);
  show("lead", folders);
  find("choose-files").classList.toggle("primary", !folders);
  if (!folders) text("hint", words.hint_files);
  find("in-files").accept = [...extensions, ".zip"].join(",");

  const draw = () => {
    const running = uploads.get(id);
    show("drop", !running && !view.asked);
    show("ask", !running && Boolean(view.asked));
    show("going", running?.state === "sending");
    show("ended", Boolean(running) && running.state !== "sending");
    text("note", running ? "" : view.said);
    if (view.asked) text("ask-count", say(words.ask, { count: number(view.asked.length) }));
    if (running) drawUpload(running);
  };

  const drawUpload = running => {
    const counts = { done: number(running.files), total: number(running.items.length) };
    find("progress").max = running.allBytes || 1;
    find("progress").value = running.bytes;
    const left = running.state === "sending" ? running.left() : null;
    const ahead = left === null ? "" : say(left < 90 ? words.seconds : words.minutes, { count: Math.max(1, Math.round(left < 90 ? left : left / 60)) });
    text("counts", [say(words.sent, counts), ahead].filter(Boolean).join(" · "));
    text("outcome", { finished: say(words.finished, counts), stopped: say(words.stopped, counts), failed: running.problem ?? "" }[running.state] ?? "");
    show("go", ["finished", "stopped"].includes(running.state) && running.files > 0);
    show("again", running.state !== "finished" || running.refused.length > 0);
    show("problems", running.refused.length > 0);
    text("problem-count", say(words.refused_count, { count: number(running.refused.length) }));
    const shown = running.refused.slice(0, LISTED).map(({ path, sentence }) => Object.assign(document.createElement("li"), { textContent: sentence || path }));
    if (find("problem-list").childElementCount !== shown.length) find("problem-list").replaceChildren(...shown);
  };

  const leave = () => {
    const ended = uploads.get(id);
    uploads.delete(id);
    return ended;
  };

  const finish = () => {
    const ended = leave();
    if (ended) setTriggerValue("finished", { project: ended.project, files: ended.files, unclear: ended.unclear });
    draw();
  };

  const follow = running => {
    view.stopFollowing?.();
    let asked = false;
    const listener = () => {
      if (asked) return;
      asked = true;
      setTimeout(() => {
        asked = false;
        // With nothing to read on this page, go on by itself.
        if (running.state === "finished" && !running.refused.length && uploads.get(id) === running) finish();
        else draw();
      }, 150);
    };
    running.listeners.add(listener);
    view.stopFollowing = () => running.listeners.delete(listener);
    listener();
  };

  const begin = (door, items, newName) => {
    view.asked = null;
    view.said = "";
    const running = new Upload(line, door, items);
    uploads.set(id, running);
    follow(running);
    running.run(project, newName);
    draw();
  };

  const take = files => {
    const pictures = [];
    let others = 0;
    let heic = 0;
    const archives = [];
    for (const item of files) {
      const base = item.path.split("/").at(-1);
      if (base.startsWith(".") || /^(thumbs\.db|desktop\.ini)$/i.test(base) || item.path.includes("__MACOSX/")) continue;
      const ending = (base.match(/\.[^.]+$/)?.[0] ?? "").toLowerCase();
      if (extensions.includes(ending)) pictures.push(item);
      else if (ending === ".zip") archives.push({ file: item.file, path: base });
      else if (phone.includes(ending)) heic++;
      else others++;
    }
    view.said = [
      archives.length && pictures.length && say(words.archives_apart, { count: number(archives.length) }),
      heic && say(words.heic, { count: number(heic) }),
      others && say(words.not_pictures, { count: number(others) }),
      !pictures.length && !archives.length && !heic && !others && words.nothing,
    ]
      .filter(Boolean)
      .join(" ");
    if (pictures.length) sort(pictures);
    else if (archives.length) begin("archives", archives, archives[0].path.replace(/\.zip$/i, ""));
    draw();
  };

  // What the folders mean: one folder with folders in it is a set of classes; several folders are classes; loose pictures need a class.
  const sort = pictures => {
    const parts = pictures.map(item => item.path.split("/"));
    const tops = new Set(parts.map(([top]) => top));
    if (tops.size === 1 && parts.some(({ length }) => length > 2)) return begin("uploads", pictures, [...tops][0]);
    if (tops.size > 1 && parts.every(({ length }) => length > 1)) return begin("added", pictures, name);
    view.asked = pictures;
    find("class-name").value = tops.size === 1 && parts[0].length > 1 ? [...tops][0] : "";
    draw();
    find("class-name").focus();
  };

  const chosen = input => {
    const files = [...input.files].map(file => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = ""; // so that choosing the same again counts as a change
    take(files);
  };

  find("choose-folder").onclick = () => find("in-folder").click();
  find("choose-files").onclick = () => find("in-files").click();
  find("in-folder").onchange = () => chosen(find("in-folder"));
  find("in-files").onchange = () => chosen(find("in-files"));
  find("cancel").onclick = () => {
    view.asked = null;
    draw();
  };
  find("stop").onclick = () => uploads.get(id)?.stop();
  find("go").onclick = finish;
  find("again").onclick = () => {
    leave();
    draw();
  };
  find("ask").onsubmit = event => {
    event.preventDefault();
    const label = find("class-name").value.trim().replaceAll("/", "_");
    if (!label) return;
    begin("added", view.asked.map(({ file, path }) => ({ file, path: `${label}/${path.split("/").at(-1)}` })), name);
  };

  const drop = find("drop");
  drop.ondragover = event => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = async event => {
    event.preventDefault();
    drop.classList.remove("over");
    take(await dropped(event.dataTransfer));
  };

  if (upload) follow(upload);
  draw();
  return () => view.stopFollowing?.();
}

// The files of what was dropped, those in folders too, with their paths.
async function dropped(transfer) {
  // To be asked for before anything is waited for: afterwards the browser has forgotten what was dropped.
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map(file => ({ file, path: file.name }));
  const files = [];
  const walk = async entry => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
      if (file) files.push({ file, path: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
      if (!some.length) break;
      for (const inner of some) await walk(inner);
    }
  };
  for (const entry of entries) await walk(entry);
  return files;
}
