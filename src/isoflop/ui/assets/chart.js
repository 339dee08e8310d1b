// A chart of ours: drawn once, then changed in place, so that zoom, hidden traces and selections
// stay where they are. What a page sends is in isoflop/ui/chart.py.

const INK = '"#000010"' // isoflop.plot.theme.APP: the ink of the theme in use
const NEAR = "300px" // of the window: a chart farther away waits with changes until it comes near
// Where the window is low, as a projector's is, a chart gives way to the answer above it.
const LOW = matchMedia("(max-height: 820px) and (min-width: 1000px)")
const LOW_SHARE = 0.5
const USUAL_PX = 450 // no higher chart gives way: its rows need their room
const PLACES = ["x", "y", "error_x", "error_y", "text", "customdata", "hovertemplate"]
const MOVABLE = ["scatter", "bar"]
const AT_ONCE = {
  mode: "immediate",
  transition: { duration: 0 },
  frame: { duration: 0, redraw: false },
}
const FULLSCREEN = {
  width: 24,
  height: 24,
  path: "M3 9V3h6v2H5v4zM15 3h6v6h-2V5h-4zM21 15v6h-6v-2h4v-4zM9 21H3v-6h2v4h4z",
}

const plotly = new Promise((resolve, reject) => {
  const script = document.createElement("script")
  script.src = new URL("plotly.min.js", import.meta.url)
  script.onload = () => resolve(window.Plotly)
  script.onerror = () => reject(new Error("The charts could not be loaded: reload the page."))
  document.head.append(script)
})

const charts = new WeakMap()

// By the key of a chart, the traces that its last message named: one that has not changed since
// comes by its name alone.
export const kept = new Map()

// Streamlit calls this at first, and whenever data or theme change; what it returns, when the chart
// goes, or at once for a call that another one has overtaken.
export default async function show({ data, parentElement, setStateValue, setTriggerValue }) {
  const chart = charts.get(parentElement) ?? new Chart(parentElement)
  charts.set(parentElement, chart)
  const call = ++chart.calls
  chart.pick = rows => setStateValue("picked", rows)
  const figure = whole(JSON.parse(new TextDecoder().decode(data)))
  if (figure) await chart.take(JSON.stringify(figure))
  else setTriggerValue("lost", true) // with a message that never came here: sent again
  return () => call === chart.calls && chart.close()
}

// The figure of a message, with the traces that it only names; null where one is not here.
function whole({ key, data, ...rest }) {
  const had = kept.get(key)
  const named = new Map(
    data.filter(part => part.kept).map(part => [part.kept, part.trace ?? had?.get(part.kept)])
  )
  if ([...named.values()].includes(undefined)) return null
  kept.set(key, named)
  return { ...rest, data: data.map(part => named.get(part.kept) ?? part) }
}

// One chart a frame, in the order in which they came: the first is seen before the next one is
// worked on, and what a newer message has overtaken by then is not drawn at all.
const due = new Set()
let isDrawing = false

function drawSoon(chart) {
  due.add(chart)
  if (!isDrawing) drawNext()
}

function drawNext() {
  const [chart] = due
  isDrawing = chart !== undefined
  if (!isDrawing) return
  due.delete(chart)
  requestAnimationFrame(() => setTimeout(drawNext))
  chart.draw()
}

class Chart {
  calls = 0
  wanted = ""
  drawn = ""
  draws = 0
  isNear = true
  busy = Promise.resolve()

  constructor(parent) {
    this.host = document.createElement("div")
    this.host.className = "isoflop-chart"
    this.host.setAttribute("role", "figure")
    this.host.setAttribute("aria-label", "A chart that is still to be drawn")
    this.host.setAttribute("aria-busy", "true")
    this.title = document.createElement("p")
    this.plot = document.createElement("div")
    this.host.append(this.title, this.plot)
    parent.append(this.host)
    this.sizes = new ResizeObserver(() => this.fit())
    this.sizes.observe(this.host)
    this.sight = new IntersectionObserver(
      entries => {
        this.isNear = entries.at(-1).isIntersecting
        this.draw()
      },
      { rootMargin: NEAR }
    )
    this.sight.observe(this.host)
    this.beforePrint = () => this.draw(true)
    window.addEventListener("beforeprint", this.beforePrint)
  }

  close() {
    due.delete(this)
    this.sizes.disconnect()
    this.sight.disconnect()
    window.removeEventListener("beforeprint", this.beforePrint)
    this.host.remove()
    // Plotly goes on after it has returned, and fails where it has let go of the chart meanwhile.
    this.busy.finally(() => window.Plotly?.purge(this.plot))
  }

  async take(text) {
    this.text = text
    this.theme = themeOf(this.host)
    this.wanted = JSON.stringify(this.theme) + text
    await plotly
    drawSoon(this)
  }

  // Draw what is wanted: a chart never drawn at once, another when a person may see it.
  draw(isPrinted = false) {
    const width = this.width()
    const isDue = !this.drawn || this.isNear || isPrinted
    if (!window.Plotly || !width || !isDue || this.wanted === this.drawn) return
    const isFirst = !this.drawn
    this.drawn = this.wanted
    const { data, layout, config, alt, title } = JSON.parse(
      this.text.replaceAll(INK, JSON.stringify(this.theme.ink))
    )
    this.host.setAttribute("aria-label", alt)
    this.host.removeAttribute("aria-busy")
    this.title.textContent = title
    this.height = heightOf(layout)
    const figure = {
      data: named(data),
      layout: {
        ...layout,
        template: clad(layout.template, this.theme),
        width,
        height: this.height,
        uirevision: axes(layout),
      },
    }
    const moved = this.shown && movedTraces(this.shown, figure)
    this.shown = structuredClone(figure) // Plotly writes into what it is given
    if (moved) {
      if (moved.traces.length) {
        const whenOvertaken = () => {}
        this.busy = window.Plotly.animate(this.plot, moved, AT_ONCE).catch(whenOvertaken)
      }
    } else {
      this.busy = window.Plotly.react(
        this.plot,
        figure.data,
        figure.layout,
        // Given again, it would have the chart drawn anew.
        isFirst ? { ...config, modeBarButtonsToAdd: [this.fullscreenButton()] } : undefined
      )
    }
    this.plot.dataset.drawn = ++this.draws
    if (isFirst) this.listen()
  }

  listen() {
    const row = point => [point.customdata].flat()[0]
    const rows = points => points.map(row).filter(number => number != null)
    this.plot.on("plotly_selected", event => event && this.pick(rows(event.points)))
    this.plot.on("plotly_deselect", () => this.pick([]))
  }

  width() {
    return this.host.clientWidth
  }

  // Follow the size of the place: that of the page, or of the whole screen.
  fit() {
    const width = this.width()
    if (!this.drawn) return this.draw()
    const isFull = document.fullscreenElement === this.host
    const height = isFull ? this.host.clientHeight - this.plot.offsetTop : this.height
    const { width: was, height: high } = this.plot._fullLayout
    if (width && (width !== was || height !== high)) {
      this.busy = window.Plotly.relayout(this.plot, { width, height })
    }
  }

  fullscreenButton() {
    return {
      name: "fullscreen",
      title: "Fullscreen",
      icon: FULLSCREEN,
      click: () =>
        document.fullscreenElement ? document.exitFullscreen() : this.host.requestFullscreen(),
    }
  }
}

// Which traces of a figure are to be drawn, and where, if all that is new is where some lines,
// points and bars lie between axes that stay; else null. Plotly then leaves the rest as it is; it
// would take away traces of other types, and bars that are not drawn with the others.
function movedTraces(before, { data, layout }) {
  const areHeld = Object.keys(layout).every(name => !/^[xy]axis/.test(name) || layout[name].range)
  if (!areHeld || !isSame(before.layout, layout) || before.data.length !== data.length) return null
  const changes = data.map((trace, place) =>
    Object.keys({ ...before.data[place], ...trace }).filter(
      name => !isSame(before.data[place][name], trace[name])
    )
  )
  const mayMove = place =>
    MOVABLE.includes(data[place].type) && changes[place].every(name => PLACES.includes(name))
  const all = [...changes.keys()]
  if (!all.every(mayMove)) return null
  // What is drawn comes to lie above the rest: all that lay above it follows.
  const isBar = place => data[place].type === "bar"
  const changed = all.find(place => changes[place].length) ?? all.length
  const first = all.slice(changed).some(isBar) ? Math.min(changed, all.find(isBar)) : changed
  const traces = all.slice(first)
  const places = trace => Object.entries(trace).filter(([name]) => PLACES.includes(name))
  return { data: traces.map(place => Object.fromEntries(places(data[place]))), traces }
}

function isSame(one, other) {
  return JSON.stringify(one) === JSON.stringify(other)
}

function heightOf({ height }) {
  const isLowered = LOW.matches && height <= USUAL_PX
  return isLowered ? Math.min(height, Math.round(LOW_SHARE * window.innerHeight)) : height
}

// Each trace by its name, so that a trace more or less does not hide another one. Plotly makes
// names of elements from it: letters, digits and underscores.
function named(traces) {
  const seen = {}
  return traces.map(trace => {
    const name = `${trace.type}_${trace.name}`.replace(/\W/g, sign => `_${sign.codePointAt(0)}_`)
    seen[name] = (seen[name] ?? 0) + 1
    return { ...trace, uid: `${name}_${seen[name]}` }
  })
}

// What a zoom belongs to: it stays as long as the axes show the same things.
function axes(layout) {
  const names = Object.keys(layout).filter(name => /^[xy]axis/.test(name))
  return names.map(name => `${name}: ${layout[name].title?.text} ${layout[name].type}`).join()
}

function themeOf(element) {
  const style = getComputedStyle(element)
  const get = name => style.getPropertyValue(`--st-${name}`).trim()
  const size = parseFloat(get("base-font-size")) || 15
  return {
    ink: get("text-color"),
    paper: get("background-color"),
    faint: get("border-color"),
    font: get("font"),
    small: 0.75 * size,
    title: 0.875 * size,
  }
}

// The template of a figure in the colours and the font of the page.
function clad(template, { ink, paper, faint, font, small, title }) {
  const text = { color: ink, family: font, size: small }
  const axis = {
    gridcolor: faint,
    zerolinecolor: faint,
    tickcolor: faint,
    tickfont: text,
    title: { font: { ...text, size: title } },
  }
  const { layout } = template
  return {
    ...template,
    layout: {
      ...layout,
      font: text,
      paper_bgcolor: paper,
      plot_bgcolor: paper,
      margin: { pad: 7.5 },
      hoverlabel: { ...layout.hoverlabel, bgcolor: paper, bordercolor: faint, font: text },
      xaxis: { ...layout.xaxis, ...axis, showgrid: false },
      yaxis: { ...layout.yaxis, ...axis },
      coloraxis: { colorbar: { thickness: 16, outlinewidth: 0, tickfont: text } },
    },
  }
}
