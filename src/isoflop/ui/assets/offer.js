// The tour, offered on the first visits of a browser until it is taken or declined. The browser alone
// remembers that. It stands behind all else on the page: see isoflop/ui/frame.py.

const OFFERED = "isoflop.tour"

export default function offer({ data, parentElement }) {
  const place = parentElement.querySelector(".offer")
  const [link, close] = place.children
  const settle = () => {
    remember()
    place.hidden = true
  }
  if (data.page === "tour") remember()
  place.hidden = wasOffered()
  link.textContent = data.words
  link.href = data.tour
  link.onclick = settle
  close.title = data.close
  close.setAttribute("aria-label", data.close)
  close.onclick = settle
}

function wasOffered() {
  try {
    return localStorage.getItem(OFFERED) !== null
  } catch {
    return true // a browser that remembers nothing would be asked for ever
  }
}

function remember() {
  try {
    localStorage.setItem(OFFERED, "1")
  } catch {
    // as above
  }
}
