// The camera: while a button is held, pictures go one after another into a class.

// Kept beside the page, because drawing the page again must not turn the camera off.
const cameras = (window.transferStudioCameras ??= new Map());
const BETWEEN = 140; // milliseconds between two pictures: about seven a second
const LONG_SIDE = 1024; // pixels
const QUALITY = 0.9; // of the JPEGs
const WAITING = 20; // pictures not yet sent, at which taking pauses: the connection is slower than the camera
const SHOWN = 6; // last pictures
const SETTLED = 1200; // milliseconds after the last picture arrived until the page counts them
const GONE = 3000; // milliseconds without a page showing it, after which the camera is turned off

class Camera {
  constructor(line, project) {
    Object.assign(this, { line, project, stream: null, failed: "", away: false, label: "", holding: false, hold: 0, taken: 0, problem: "" });
    Object.assign(this, { arrived: new Map(), last: [], queue: [], sending: 0, told: 0, devices: [] });
    this.canvas = document.createElement("canvas");
    this.abort = new AbortController();
    this.draw = () => {};
    this.settled = () => {};
  }

  get possible() {
    return Boolean(window.isSecureContext && navigator.mediaDevices?.getUserMedia) && !this.failed;
  }

  async turnOn(device) {
    this.turnOff();
    const which = device ? { deviceId: { exact: device } } : { facingMode: "environment" };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { ...which, width: { ideal: 1280 }, height: { ideal: 960 } } });
      if (this.away) return this.turnOff(); // the page was left while the browser asked
      this.devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    } catch (error) {
      this.failed = { NotAllowedError: "camera_refused", NotReadableError: "camera_busy" }[error.name] ?? "camera_missing";
    }
    this.draw();
  }

  turnOff() {
    this.release();
    this.stream?.getTracks().forEach(track => track.stop());
    this.stream = null;
    this.draw();
  }

  get device() {
    return this.stream?.getVideoTracks()[0]?.getSettings() ?? {};
  }

  press(video) {
    if (this.holding || !this.stream) return;
    this.holding = true;
    this.hold = Date.now();
    this.taken = 0;
    this.video = video;
    this.take();
    this.draw();
  }

  release() {
    if (!this.holding) return;
    this.holding = false;
    this.draw();
  }

  async take() {
    for (let next = performance.now(); this.holding; next += BETWEEN) {
      if (this.queue.length < WAITING) await this.shot();
      await wait(Math.max(10, next + BETWEEN - performance.now()));
      next = Math.max(next, performance.now() - 2 * BETWEEN); // after a hitch, go on at the same pace instead of catching up
    }
  }

  async shot() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return;
    const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const blob = await new Promise(resolve => this.canvas.toBlob(resolve, "image/jpeg", QUALITY));
    if (!blob) return;
    // What was taken in one hold carries its time, so that it can be told from other holds.
    const name = `hold${this.hold}_${String(++this.taken).padStart(4, "0")}.jpg`;
    this.add(new File([blob], name, { type: blob.type, lastModified: Date.now() }));
  }

  add(file) {
    const label = this.label.trim().replaceAll("/", "_");
    this.queue.push({ label, file, path: `${label}/${file.name}` });
    this.problem = "";
    this.send();
  }

  async send() {
    while (this.queue.length && this.sending < AT_ONCE) {
      const item = this.queue.shift();
      this.sending++;
      sendFile(this.line, this.project, "camera", item, this.abort.signal, () => {})
        .then(() => this.keep(item))
        .catch(error => {
          this.problem = error instanceof Refusal ? error.message : this.line.server.words.unreachable;
          if (FATAL.includes(error.code)) this.turnOff();
        })
        .finally(() => {
          this.sending--;
          this.draw();
          this.send();
          this.countSoon();
        });
    }
  }

  keep({ label, file }) {
    this.arrived.set(label, (this.arrived.get(label) ?? 0) + 1);
    this.last.unshift({ label, address: URL.createObjectURL(file) });
    this.last.splice(SHOWN).forEach(({ address }) => URL.revokeObjectURL(address));
  }

  // Once the last picture is there and nobody holds the button, the server looks through them and the page counts them.
  countSoon() {
    clearTimeout(this.told);
    this.told = setTimeout(async () => {
      if (this.holding || this.queue.length || this.sending) return;
      await this.line.ask("done", { project: this.project }).catch(() => {});
      this.settled();
    }, SETTLED);
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(`.${name}`);
  const { words, server, project, classes } = data;
  if (!cameras.has(project)) cameras.set(project, new Camera(new Line({ ...server, words }), project));
  const camera = cameras.get(project);
  camera.line.server = { ...server, words };
  clearTimeout(camera.leaving);
  camera.away = false;

  const show = (part, shown) => (find(part).hidden = !shown);
  const text = (part, sentence) => {
    if (find(part).textContent !== sentence) find(part).textContent = sentence;
  };
  for (const part of ["lead", "turn-on", "turn-off", "hold", "hint", "class-label", "device-label", "take"]) {
    text(part, words[part.replace("-", "_")]);
  }
  find("last").setAttribute("aria-label", words.last);
  find("video").setAttribute("aria-label", words.video);
  find("classes").replaceChildren(...classes.map(label => Object.assign(document.createElement("option"), { value: label })));
  if (find("class-name").value !== camera.label && parentElement.activeElement !== find("class-name")) find("class-name").value = camera.label;

  const draw = () => {
    const instead = !camera.possible;
    show("begin", !instead && !camera.stream);
    show("set", instead || Boolean(camera.stream));
    show("stage", Boolean(camera.stream));
    show("instead", instead);
    text("why", words[camera.failed || "camera_missing"]);
    const video = find("video");
    if (video.srcObject !== camera.stream) video.srcObject = camera.stream;
    video.classList.toggle("mirrored", camera.device.facingMode === "user");
    find("hold").setAttribute("aria-pressed", String(camera.holding));
    show("devices-field", Boolean(camera.stream) && camera.devices.length > 1);
    if (find("devices").childElementCount !== camera.devices.length) {
      const names = camera.devices.map(({ deviceId, label }, index) => new Option(label || say(words.camera, { count: index + 1 }), deviceId));
      find("devices").replaceChildren(...names);
    }
    if (camera.device.deviceId) find("devices").value = camera.device.deviceId;
    text("counts", [...camera.arrived].map(([label, count]) => say(words.taken, { name: label, count: number(count) })).join(" · "));
    text("problem", camera.problem);
    const shown = camera.last.map(({ address }) => address).join();
    if (find("last").dataset.shown !== shown) {
      find("last").dataset.shown = shown;
      find("last").replaceChildren(
        ...camera.last.map(({ label, address }) => {
          const entry = document.createElement("li");
          entry.append(Object.assign(new Image(), { src: address, alt: label }));
          return entry;
        }),
      );
    }
  };
  camera.draw = draw;
  camera.settled = () => setTriggerValue("arrived", Date.now());

  const named = () => {
    camera.label = find("class-name").value;
    if (camera.label.trim()) return true;
    camera.problem = words.no_class;
    draw();
    find("class-name").focus();
    return false;
  };
  find("class-name").oninput = () => {
    camera.label = find("class-name").value;
    if (camera.label.trim() && camera.problem === words.no_class) camera.problem = "";
    draw();
  };
  find("turn-on").onclick = () => camera.turnOn();
  find("turn-off").onclick = () => camera.turnOff();
  find("devices").onchange = () => camera.turnOn(find("devices").value);

  const hold = find("hold");
  const press = () => named() && camera.press(find("video"));
  const release = () => camera.release();
  hold.onpointerdown = event => {
    if (event.button) return;
    hold.setPointerCapture?.(event.pointerId);
    press();
  };
  hold.onpointerup = hold.onpointercancel = hold.onlostpointercapture = hold.onblur = release;
  hold.oncontextmenu = event => event.preventDefault(); // a long press on a touch screen
  hold.onkeydown = event => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) press();
  };
  hold.onkeyup = event => (event.key === " " || event.key === "Enter") && release();

  find("take").onclick = () => named() && find("in-camera").click();
  find("in-camera").onchange = () => {
    const moment = Date.now();
    [...find("in-camera").files].forEach((file, index) => {
      const ending = file.name.match(/\.[^.]+$/)?.[0] ?? ".jpg";
      camera.add(new File([file], `hold${moment}_${String(index + 1).padStart(4, "0")}${ending}`, { type: file.type, lastModified: moment }));
    });
    find("in-camera").value = "";
  };

  draw();
  return () => {
    camera.release();
    camera.draw = () => {};
    camera.settled = () => {};
    camera.leaving = setTimeout(() => {
      camera.away = true;
      camera.turnOff();
    }, GONE);
  };
}
