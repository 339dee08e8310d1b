// The frame of every page: copies its link, asks for a reset, and leads the keyboard and screen
// readers to the answer. What a page sends is in isoflop/ui/frame.py.

const SAID_MS = 2500
const SETTLED_MS = 700 // after a move of a slider: then the answer is read out, once

let shownPage = ""
let watch = null
let skip = "" // what the link before all others says, which is Streamlit's own

// Streamlit calls this whenever a page opens or runs again.
export default function frame({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(`.${name}`)
  find("copy").onclick = async () => {
    await copy(location.href)
    say(find("said"), data.copied)
  }
  find("reset").onclick = () => setTriggerValue("reset", true)
  if (data.page !== shownPage) {
    shownPage = data.page
    enter()
  }
  for (const name of ["copy", "reset"]) {
    const [label, help] = data[name]
    find(name).querySelector(".name").textContent = label
    find(name).title = help
  }
  offer(find("languages"), data.languages, code => setTriggerValue("language", code))
  document.documentElement.lang = data.language
  document.documentElement.style.setProperty("--drawer", JSON.stringify(data.drawer))
  skip = data.skip
  watch?.disconnect()
  watch = readOut(find("heard"))
}

// The other languages, each by its own name.
function offer(place, languages, choose) {
  place.replaceChildren(...Object.entries(languages).map(([code, name]) => {
    const button = document.createElement("button")
    button.type = "button"
    button.lang = code
    button.textContent = name
    button.onclick = () => choose(code)
    return button
  }))
}

// A page that opens is where the keyboard goes on, not the navigation and every control before it.
function enter() {
  const at = document.activeElement
  const isFree = !at || at === document.body || at.closest("[data-testid=stHeader]")
  if (isFree) document.getElementById("stMain")?.focus({ preventScroll: true })
}

// The clipboard is closed to pages that came without encryption, where a selection is copied still.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const field = document.createElement("textarea")
  field.value = text
  document.body.append(field)
  field.select()
  document.execCommand("copy")
  field.remove()
}

function say(place, text) {
  place.textContent = text
  setTimeout(() => (place.textContent = ""), SAID_MS)
}

// Has a screen reader read the answer when a move has changed it.
function readOut(place) {
  const answer = () => document.querySelector(".st-key-answer p")?.textContent ?? ""
  let held = ""
  let timer = 0
  const watch = new MutationObserver(() => {
    mend()
    held ||= answer() // a move may come before all of the page has settled
    clearTimeout(timer)
    timer = setTimeout(() => {
      const text = answer()
      if (held && text && text !== held) place.textContent = text
      held = text || held
    }, SETTLED_MS)
  })
  mend()
  watch.observe(document.body, { childList: true, characterData: true, subtree: true })
  return watch
}

// Gives a place for files the role that its name needs, and lets the keyboard scroll what is wide.
function mend() {
  const first = document.querySelector("a[href='#stMain']")
  if (first && skip && first.textContent !== skip) first.textContent = skip
  for (const drop of document.querySelectorAll("section[role=presentation][aria-label]")) {
    drop.setAttribute("role", "group")
  }
  for (const wide of document.querySelectorAll("[data-testid=stCode] pre, .katex-display")) {
    if (wide.tabIndex !== 0) wide.tabIndex = 0
  }
}
