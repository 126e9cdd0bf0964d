"use strict"

// The base address of tenant-api, without a slash at the end. Its CORS_ORIGINS has to name the
// origin of this page, unless both have the same origin.
const tenantAPI = "http://127.0.0.1:3000"

const $ = id => document.getElementById(id)
let token = "", invited = {}

// takeToken reads the token of the link, and removes it from the address bar and the history: who
// has the token can choose the password. A browser never sends the fragment to a server.
function takeToken() {
  token = new URLSearchParams(location.hash.slice(1)).get("invitation") || ""
  if (location.hash) history.replaceState(null, "", location.pathname + location.search)
}

// call returns the answer of an operation. Status 0: there is none that this page may read.
async function call(operation, body) {
  const asked = token
  const answer = await ask(operation, body)
  return asked === token ? answer : new Promise(() => {}) // Another link was opened meanwhile: only its answers count.
}

async function ask(operation, body) {
  let response
  try {
    response = await fetch(`${tenantAPI}/invitations/${operation}`, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
      credentials: "omit", signal: AbortSignal.timeout(90_000),
    })
  } catch (error) {
    console.error("tenant-api does not answer, or its CORS_ORIGINS does not name", location.origin, error)
    return {status: 0, body: {}}
  }
  const json = await response.json().catch(() => null)
  if (!json) return {status: response.ok ? 502 : response.status, body: {}} // Of a proxy in front of tenant-api.
  return {status: response.status, body: json, wait: response.headers.get("Retry-After"), request: response.headers.get("X-Request-Id")}
}

// problemOf returns the text about an error: the detail of its problem document (RFC 9457).
function problemOf(answer) {
  if (answer.status === 0) return `This page cannot reach the service at ${tenantAPI}. Try again in a minute.`
  const detail = answer.body.detail || `The service answered with status ${answer.status}`
  const sentence = detail[0].toUpperCase() + detail.slice(1) + "."
  return answer.wait ? `${sentence} Try again in ${answer.wait} seconds.` : sentence
}

function showRequest(answer) {
  $("request").textContent = answer && answer.request ? `Request: ${answer.request}` : ""
}

// show shows one state of the page, and moves the focus to it for screen readers.
function show(view, title, text, {action = null, link = "", answer = null} = {}) {
  document.body.dataset.view = view
  document.title = $("title").textContent = title
  $("text").textContent = text
  $("form").hidden = view !== "form"
  $("action").hidden = !action
  $("continue").hidden = !link
  if (action) { $("act").textContent = action.label; $("act").onclick = action.run; $("act").disabled = false }
  if (link) $("link").href = link
  showRequest(answer)
  if (view === "form") $("password").focus(); else if (view !== "loading") $("title").focus()
}

// showError shows an error that says nothing about the invitation. Trying again is safe.
function showError(answer) {
  if (answer.status === 404 || answer.status === 400) {
    return show("unknown", "This link does not work", "Open the whole link of the mail again, or ask your contact for another invitation.", {answer})
  }
  show(answer.status === 0 ? "unreachable" : "error", "That did not work", problemOf(answer), {answer, action: {label: "Try again", run: inspect}})
}

async function inspect() {
  show("loading", "One moment …", "")
  if (!token) return show("unknown", "Open the link of the mail", "This page needs the link of the mail. It works until you have chosen a password.")
  const answer = await call("inspect", {token})
  if (answer.status !== 200) return showError(answer)
  invited = answer.body
  showPlatform()
  const until = invited.expiresAt ? new Date(invited.expiresAt).toLocaleString() : ""
  switch (invited.status) {
  case "PENDING":
    $("email").value = invited.adminEmail
    wrong("")
    return show("form", "Choose your password", `For ${invited.tenantName}. The invitation is valid until ${until}.`)
  case "EXPIRED":
    return show("expired", "This invitation has expired", `It was for ${invited.tenantName}, until ${until}. A new one can be sent to the registered address.`,
      {action: {label: "Send a new invitation", run: renew}})
  case "ACCEPTED":
    return show("accepted", "This invitation was used", "It works once. Sign in with the password that was chosen.", {link: pageOf(invited.redirectUrl)})
  default: // REVOKED
    return show("revoked", "This invitation is not valid any more", "Use the link of the newest mail, or ask your contact for another invitation.")
  }
}

// showPlatform shows product, logo and address for questions, of the tenant's blueprint.
function showPlatform() {
  $("brand").hidden = !invited.productName && !invited.logo
  $("brand").replaceChildren(invited.productName || "")
  if (invited.logo) {
    const image = document.createElement("img")
    image.alt = ""
    image.src = `data:image/png;base64,${invited.logo}`
    $("brand").prepend(image)
  }
  $("support").hidden = !invited.support
  $("supportLink").href = `mailto:${invited.support}`
  $("supportLink").textContent = invited.support
}

// wrong shows what is wrong with the password, "" for nothing, and lets it be sent again.
function wrong(message, answer) {
  $("problem").textContent = message
  $("password").setAttribute("aria-invalid", String(message !== ""))
  $("submit").disabled = false
  showRequest(answer)
  if (message) $("password").focus()
}

async function accept(event) {
  event.preventDefault()
  if ($("submit").disabled) return // A double click.
  const length = [...$("password").value].length
  if (length < 12 || length > 256) return wrong("The password has to have 12 to 256 characters.")
  $("submit").disabled = true
  $("problem").textContent = ""
  const answer = await call("accept", {token, password: $("password").value})
  if (answer.status === 409) { // It was used or replaced meanwhile, or the tenant is not live yet.
    await inspect()
    if (document.body.dataset.view === "form") wrong(problemOf(answer), answer)
    return
  }
  // The form stays: after an error of the service, the same password can be sent again.
  if (answer.status !== 200) return wrong(problemOf(answer), answer)
  $("form").reset()
  const next = pageOf(answer.body.redirectUrl)
  show("done", "Your password is set", "You can sign in now.", {link: next})
  if (next) location.replace(next)
}

// pageOf returns an address if it is of a page, "" if not: never of a script.
const pageOf = url => /^https?:\/\//.test(url || "") ? url : ""

async function renew() {
  $("act").disabled = true
  const answer = await call("renew", {token})
  if (answer.status === 409) return inspect()
  if (answer.status !== 200) return showError(answer)
  if (answer.body.status === "failed") {
    return show("failed", "The mail could not be sent", "The mail server refused it. Ask your contact for another invitation.", {answer})
  }
  if (answer.body.status === "pending") {
    return show("pending", "A new invitation will arrive soon", "The mail is not confirmed yet. If the mail server does not take it now, it is sent again.", {answer})
  }
  show("sent", "A new invitation is on its way", "Check the mailbox of the registered address, and its spam folder.")
}

$("form").addEventListener("submit", accept)
addEventListener("hashchange", () => { // Another link, opened in the same tab.
  if (!location.hash) return
  takeToken()
  inspect()
})
takeToken()
inspect()
