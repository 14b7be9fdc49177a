// A grid of pictures to select from, by pointer and by keyboard, and what is to be done with the selected ones.
// What is done is told to Python as actions with rising numbers; one stays in the list until Python says that it was done, because
// of two that follow each other quickly only the second message might arrive.

const instances = new WeakMap()
const WITHOUT_PICTURES = ["undo", "redo", "page"]
const EDITS = ["relabel", "exclude", "restore", "move"]
const LOOK = 200 // milliseconds between two looks whether a dialog is there
// One grid has the keyboard: the newest, because Streamlit may make a grid anew while its dialog is open.
let newest
let watch
// The picture that has the keyboard, and its place, until somebody goes elsewhere. The page may move the grid or make it anew, which
// takes the keyboard from it, and not every browser tells of that: it comes back when the grid is drawn, or with the next key.
let held = null

addEventListener("keydown", (event) => held && newest.bringBack() && newest.key(event, true), true)
addEventListener("pointerdown", (event) => event.composedPath().includes(newest?.list) || (held = null), true)

export default function (component) {
  const root = component.parentElement.querySelector(".pg")
  if (!root) return
  let grid = instances.get(root)
  if (!grid) {
    grid = new Grid(root)
    instances.set(root, grid)
  }
  grid.update(component.data, (actions) => component.setTriggerValue("actions", actions))
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag)
  if (text) made.textContent = text
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}

class Grid {
  constructor(root) {
    this.root = root
    this.list = root.querySelector("ul")
    this.bar = root.querySelector(".bar")
    this.keys = root.querySelector("dialog")
    this.selected = new Set()
    this.everything = false
    this.at = 0 // the picture that has the keyboard
    this.anchor = 0 // where a selection of several began
    this.waiting = []
    this.last = Date.now()
    this.shown = ""
    newest = this
    root.onkeydown = (event) => this.key(event)
    this.list.onclick = (event) => this.click(event)
    this.list.ondblclick = () => this.act("open", "", [this.at])
    this.list.addEventListener("focusin", (event) => {
      const place = this.tiles.indexOf(event.target.closest("li"))
      if (place >= 0) this.remember(place)
    })
    this.list.addEventListener("focusout", (event) => event.relatedTarget && (held = null))
  }

  remember(place) {
    this.at = place
    this.atId = this.data.items[place]?.id
    held = { id: this.atId, at: place }
  }

  // Give the keyboard back to the picture that had it, or to its place; false where there is nothing to give or something else has it.
  bringBack() {
    if (!held || !this.root.isConnected || document.activeElement !== document.body) return false
    const place = this.data.items.findIndex((item) => item.id === held.id)
    this.focus(place < 0 ? held.at : place, false)
    return true
  }

  get tiles() {
    return [...this.list.children]
  }

  update(data, send) {
    this.data = data
    this.send = send
    this.waiting = this.waiting.filter((action) => action.number > data.done)
    const shown = JSON.stringify([data.items, data.classes, data.words, data.total, data.splits])
    if (shown !== this.shown) {
      this.shown = shown
      const focused = this.root.getRootNode().activeElement
      const inside = focused && this.list.contains(focused)
      const there = new Set(data.items.map((item) => item.id))
      // The keyboard stays with its picture, or, where that one went, with its place.
      const place = data.items.findIndex((item) => item.id === this.atId)
      if (place >= 0) this.at = place
      this.selected = new Set([...this.selected].filter((id) => there.has(id)))
      this.everything = false
      this.drawList()
      this.drawBar()
      this.drawKeys()
      this.at = Math.max(0, Math.min(this.at, data.items.length - 1))
      this.anchor = Math.min(this.anchor, this.at)
      this.mark()
      if (inside) this.focus(this.at, false)
    }
    this.bringBack()
  }

  // Drawing

  drawList() {
    const { words, items } = this.data
    this.list.setAttribute("aria-label", this.data.label)
    this.list.replaceChildren(
      ...items.map((item) => {
        const tile = element("li", "", { role: "option", tabindex: "-1", "aria-label": item.told, title: item.name })
        tile.dataset.state = item.state
        const frame = tile.appendChild(element("div", "", { class: "frame" }))
        if (item.image) {
          const image = frame.appendChild(element("img", "", { alt: "", draggable: "false" }))
          image.src = item.image
        } else {
          frame.appendChild(element("div", words.unreadable, { class: "none" }))
        }
        frame.appendChild(element("span", "✓", { class: "tick", "aria-hidden": "true" }))
        if (item.mark) frame.appendChild(element("span", item.mark, { class: "mark" }))
        tile.appendChild(element("span", item.label, { class: "label" }))
        tile.appendChild(element("small", item.small))
        return tile
      }),
    )
  }

  drawBar() {
    const { words, classes, splits } = this.data
    const old = this.bar.querySelector("input")
    const typed = old ? old.value : ""
    this.count = element("span", "", { class: "count", role: "status" })
    this.all = this.button(words.all, () => this.selectAll())
    this.rest = this.button(words.everything, () => {
      this.everything = true
      this.mark()
    })
    this.none = this.button(words.none, () => this.selectNone())
    const choice = element("div", "", { class: "choice" })
    this.chips = classes.slice(0, 9).map(([name, shown], place) => {
      const chip = this.button("", () => this.act("relabel", name), words.relabel_to.replace("{name}", () => shown))
      chip.className = "chip"
      chip.append(element("kbd", String(place + 1)), element("span", shown))
      choice.append(chip)
      return chip
    })
    const input = element("input", "", { list: "pg-classes", placeholder: words.other, "aria-label": words.other })
    input.value = typed
    const names = element("datalist", "", { id: "pg-classes" })
    names.append(...classes.map(([, shown]) => element("option", "", { value: shown })))
    const give = this.button(words.relabel, () => this.relabelTyped(input))
    const exclude = this.button(words.exclude, () => this.act("exclude"))
    const restore = this.button(words.restore, () => this.act("restore"))
    const move = element("select", "", { "aria-label": words.move })
    move.append(element("option", words.move, { value: "" }))
    for (const [value, name] of splits) move.append(element("option", name, { value }))
    move.onchange = () => {
      if (move.value) this.act("move", move.value)
      move.value = ""
    }
    const look = this.button(words.look, () => this.act("open", "", [this.onePlace()]))
    const help = this.button("?", () => this.keys.showModal(), words.keys)
    this.acting = [...this.chips, give, input, exclude, restore, move, look]
    const first = element("div", "", { class: "row" })
    first.append(this.count, this.all, this.rest, this.none, help)
    const second = element("div", "", { class: "row acts" })
    second.append(input, names, give, exclude, restore, move, look)
    this.bar.setAttribute("aria-label", words.bar)
    this.bar.replaceChildren(first, choice, second)
  }

  drawKeys() {
    const { words, keys } = this.data
    const list = element("dl", "")
    for (const [key, what] of keys) list.append(element("dt", key), element("dd", what))
    const close = this.button(words.close, () => this.keys.close())
    this.keys.setAttribute("aria-label", words.keys)
    this.keys.replaceChildren(element("h2", words.keys), list, close)
  }

  button(text, press, told = "") {
    const made = element("button", text, { type: "button" })
    if (told) {
      made.setAttribute("aria-label", told)
      made.title = told
    }
    made.onclick = press
    return made
  }

  mark() {
    const { words, items, total } = this.data
    this.tiles.forEach((tile, place) => {
      const chosen = this.everything || this.selected.has(items[place].id)
      tile.setAttribute("aria-selected", String(chosen))
      tile.tabIndex = place === this.at ? 0 : -1
    })
    this.atId = items[this.at]?.id
    const count = this.everything ? total : this.selected.size
    this.count.textContent = count ? words.selected.replace("{count}", count.toLocaleString("en")) : words.nothing
    const whole = items.length > 0 && this.selected.size === items.length
    this.all.hidden = whole || !items.length
    this.rest.hidden = !whole || this.everything || total <= items.length
    this.none.hidden = !count
    for (const part of this.acting) part.disabled = !count
    this.bar.classList.toggle("idle", !count)
  }

  // Selecting

  focus(place, scroll = true) {
    const tiles = this.tiles
    if (!tiles.length) return
    this.remember(Math.max(0, Math.min(place, tiles.length - 1)))
    tiles.forEach((tile, number) => (tile.tabIndex = number === this.at ? 0 : -1))
    tiles[this.at].focus({ preventScroll: true })
    if (scroll) tiles[this.at].scrollIntoView({ block: "nearest" })
  }

  toggle(place) {
    const id = this.data.items[place].id
    if (this.everything) this.selected = new Set(this.data.items.map((item) => item.id))
    this.everything = false
    if (!this.selected.delete(id)) this.selected.add(id)
    this.anchor = place
    this.mark()
  }

  extend(place) {
    const [low, high] = [Math.min(this.anchor, place), Math.max(this.anchor, place)]
    this.everything = false
    for (const item of this.data.items.slice(low, high + 1)) this.selected.add(item.id)
    this.mark()
  }

  selectAll() {
    this.selected = new Set(this.data.items.map((item) => item.id))
    this.mark()
  }

  selectNone() {
    this.selected.clear()
    this.everything = false
    this.mark()
  }

  click(event) {
    const place = this.tiles.indexOf(event.target.closest("li"))
    if (place < 0) return
    if (event.shiftKey) this.extend(place)
    else this.toggle(place)
    this.focus(place)
  }

  // The place of the one picture that is meant: the selected one, else the one that has the keyboard.
  onePlace() {
    const place = this.data.items.findIndex((item) => this.selected.has(item.id))
    return place < 0 ? this.at : place
  }

  // Acting

  relabelTyped(input) {
    const typed = input.value.trim()
    if (!typed) return input.focus()
    input.value = ""
    const known = this.data.classes.find(([, shown]) => shown === typed)
    this.act("relabel", known ? known[0] : typed)
  }

  // On `places`, else on the selection, else on the picture that has the keyboard.
  act(kind, to = "", places = null) {
    const { items } = this.data
    let ids = [...this.selected]
    if (places) ids = places.filter((place) => items[place]).map((place) => items[place].id)
    else if (WITHOUT_PICTURES.includes(kind)) ids = []
    else if (!ids.length && !this.everything && items[this.at]) ids = [items[this.at].id]
    const whole = this.everything && !places && !WITHOUT_PICTURES.includes(kind)
    if (!ids.length && !whole && !WITHOUT_PICTURES.includes(kind)) return
    this.last = Math.max(this.last + 1, Date.now())
    this.waiting.push({ number: this.last, kind, ids: whole ? [] : ids, everything: whole, to })
    if (kind === "open") this.awaitDialog()
    if (EDITS.includes(kind)) this.takeAway(whole ? items.map((item) => item.id) : ids)
    this.send(this.waiting)
  }

  // A close look is a dialog of the page; when it closes, the keyboard goes back to the picture. A busy computer opens it late; what had
  // the keyboard in it may go only a while after it closed, and the grid may be made anew after that.
  awaitDialog() {
    const meant = { id: this.atId, at: this.at }
    let looks = 300
    let opened = false
    clearInterval(watch)
    watch = setInterval(() => {
      if (document.querySelector('[role="dialog"]')) {
        looks = 25
        return (opened = true)
      }
      if (!looks--) return clearInterval(watch)
      if (!opened || document.activeElement !== document.body) return
      held = meant
      newest.bringBack()
    }, LOOK)
  }

  // Show that something is being done with these pictures, and give the keyboard to the next one: the same key can be pressed again.
  takeAway(ids) {
    const { items } = this.data
    const gone = new Set(ids)
    this.tiles.forEach((tile, place) => {
      if (gone.has(items[place].id)) tile.classList.add("waiting")
    })
    this.selectNone()
    const stays = (place) => place < items.length && !this.tiles[place].classList.contains("waiting")
    const after = items.findIndex((_item, place) => place >= this.at && stays(place))
    const inside = this.list.contains(this.root.getRootNode().activeElement)
    if (after >= 0 && inside) this.focus(after)
  }

  // `lost` is a key that came while no part of the page had the keyboard.
  key(event, lost = false) {
    event.stopPropagation() // the page's own keys, such as R for drawing it again, are not meant here
    const writing = event.target.matches("input, select")
    if (event.key === "Escape" && writing) return this.focus(this.at)
    if (event.key === "Enter" && event.target.matches("input")) return this.relabelTyped(event.target)
    if (writing || this.keys.open) return
    const control = event.ctrlKey || event.metaKey
    const inside = this.list.contains(event.target)
    const done = control ? this.controlKey(event) : this.plainKey(event, inside || lost)
    if (done) event.preventDefault()
  }

  controlKey(event) {
    const key = event.key.toLowerCase()
    if (key === "a") this.selectAll()
    else if (key === "z") this.act(event.shiftKey ? "redo" : "undo")
    else if (key === "y") this.act("redo")
    else return false
    return true
  }

  plainKey(event, inside) {
    if (event.altKey) return false
    const { key } = event
    if (key === "?") this.keys.showModal()
    else if (key === "Escape") this.selectNone()
    else if (!inside) return false
    else if (key === " ") this.toggle(this.at)
    else if (key === "Enter") this.act("open", "", [this.at])
    else if (key === "Delete" || key === "x" || key === "X") this.act("exclude")
    else if (key === "b" || key === "B") this.act("restore")
    else if (key === "PageDown") this.act("page", "1", [])
    else if (key === "PageUp") this.act("page", "-1", [])
    else if (/^[1-9]$/.test(key)) {
      const known = this.data.classes[Number(key) - 1]
      if (!known) return false
      this.act("relabel", known[0])
    } else return this.move(event)
    return true
  }

  move(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns(), ArrowDown: this.columns() }
    const count = this.data.items.length
    let place = event.key === "Home" ? 0 : event.key === "End" ? count - 1 : this.at + (steps[event.key] ?? NaN)
    if (Number.isNaN(place)) return false
    if (place < 0 || place >= count) place = this.at
    const from = this.at
    this.focus(place)
    if (event.shiftKey) {
      if (!this.selected.size) this.anchor = from
      this.extend(place)
    }
    return true
  }

  columns() {
    const tiles = this.tiles
    const second = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop)
    return second < 0 ? tiles.length : second
  }
}
