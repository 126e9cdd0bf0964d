"use strict"
// Pages work without this script. It adds: times in the browser's zone, dialogs, the command menu, and pages that
// come back by themselves.
;(() => {
  const $ = (selector, root = document) => root.querySelector(selector)
  const all = (selector, root = document) => [...root.querySelectorAll(selector)]
  const language = document.documentElement.lang

  // Times come in UTC. The page shows the browser's zone, with its name, and UTC as a title.
  const format = new Intl.DateTimeFormat(language, {dateStyle: "medium", timeStyle: "short"})
  const exact = new Intl.DateTimeFormat(language, {dateStyle: "medium", timeStyle: "medium"})
  const zone = new Intl.DateTimeFormat(language, {timeZoneName: "short"})
  const zoneOf = at => zone.formatToParts(at).find(p => p.type === "timeZoneName")?.value || ""
  function enhance(root) {
    for (const time of all("time:not([title])", root)) {
      const at = new Date(time.dateTime)
      time.title = time.textContent
      time.textContent = (time.closest(".trail") ? exact : format).format(at) + " " + zoneOf(at)
    }
    for (const element of all(".scripted[hidden], [data-pick-all][hidden]", root)) element.hidden = false
  }

  // A dialog shows the form of a link. Without it the link leads to the same form.
  async function openDialog(link) {
    const dialog = $("#dialog")
    let answer
    try {
      answer = await fetch(link.href, {headers: {"X-Dialog": "1"}, credentials: "same-origin"})
    } catch {
      answer = null
    }
    if (answer?.redirected) { // The session has ended.
      const signIn = new URL(answer.url)
      signIn.searchParams.set("return", location.pathname + location.search)
      location.assign(signIn)
      return
    }
    if (!answer?.ok) { location.assign(link.href); return }
    if (dialog.open) return // A second click.
    dialog.innerHTML = await answer.text()
    enhance(dialog)
    dialog.showModal()
    $("input:not([type=hidden]), button", dialog)?.focus()
  }

  document.addEventListener("click", event => {
    const target = event.target.closest("[data-dialog], [data-close], [data-copy]")
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    if (target.matches("[data-copy]")) {
      navigator.clipboard?.writeText(target.dataset.copy).then(() => { target.textContent += " ✓" }, () => {})
      return
    }
    if (target.matches("[data-close]") && target.closest("dialog")) { event.preventDefault(); target.closest("dialog").close(); return }
    if (target.matches("[data-dialog]")) { event.preventDefault(); openDialog(target) }
  })

  document.addEventListener("change", event => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit()
    if (event.target.matches("[data-pick-all]")) for (const box of all("input[name=id]", event.target.form)) box.checked = event.target.checked
  })

  // A form is sent once: a second click would only repeat it.
  document.addEventListener("submit", event => {
    const form = event.target
    if (form.method !== "post") return
    if (form.dataset.sent) { event.preventDefault(); return }
    form.dataset.sent = "1"
  })
  window.addEventListener("pageshow", () => { for (const form of all("form[data-sent]")) delete form.dataset.sent })

  // The command menu: pages, what the page offers, and a search for tenants.
  const menu = $("#commands"), input = $("#command"), list = $("#command-list")
  let chosen = 0
  function commands() {
    const wanted = input.value.trim().toLowerCase()
    const found = all("a[data-command]").filter(a => a.textContent.trim().toLowerCase().includes(wanted)).map(a => ({text: a.textContent.trim(), run: () => a.click()}))
    if (wanted) found.push({text: $("#command-hint").dataset.search + " “" + input.value.trim() + "”", run: () => input.form.submit()})
    return found
  }
  let shown = []
  function showCommands() {
    shown = commands()
    chosen = Math.min(chosen, Math.max(0, shown.length - 1))
    list.replaceChildren(...shown.map((command, i) => {
      const item = document.createElement("li")
      item.id = "command-" + i
      item.role = "option"
      item.textContent = command.text
      item.ariaSelected = String(i === chosen)
      item.addEventListener("click", () => run(i))
      return item
    }))
    if (shown.length) input.setAttribute("aria-activedescendant", "command-" + chosen)
    else input.removeAttribute("aria-activedescendant")
    $("#command-" + chosen)?.scrollIntoView({block: "nearest"})
  }
  function run(i) { menu.close(); shown[i]?.run() }
  function openCommands() {
    if (menu.open || $("dialog[open]")) return
    input.value = ""
    chosen = 0
    menu.showModal()
    showCommands()
    input.focus()
  }
  if (menu) {
    $("#open-commands").hidden = false
    $("#open-commands").addEventListener("click", openCommands)
    input.addEventListener("input", () => { chosen = 0; showCommands() })
    input.addEventListener("keydown", event => {
      const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
      if (step && shown.length) { event.preventDefault(); chosen = (chosen + step + shown.length) % shown.length; showCommands() }
      if (event.key === "Enter") { event.preventDefault(); run(chosen) }
      if (event.key === "Escape") { event.preventDefault(); menu.close() } // Browsers only empty the field.
    })
    document.addEventListener("keydown", event => {
      const typing = event.target.closest("input, textarea, select, [contenteditable]")
      if (event.key === "k" && (event.ctrlKey || event.metaKey) || event.key === "/" && !typing && !event.ctrlKey && !event.altKey && !event.metaKey) { event.preventDefault(); openCommands() }
    })
  }

  // The stream of a timeline has ended: everything else on the page may have changed, too.
  async function refresh() {
    try {
      const answer = await fetch(location.href, {credentials: "same-origin"})
      if (answer.redirected) { location.assign(answer.url); return }
      if (!answer.ok) { refreshLater(); return }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html")
      const main = $("#main")
      if ($("dialog[open]") || main.contains(document.activeElement) && document.activeElement !== main && document.activeElement.matches("input, textarea, select")) { refreshLater(); return }
      main.replaceChildren(...fresh.querySelector("#main").childNodes)
      document.title = fresh.title
      window.htmx?.process(main)
      enhance(main)
    } catch { refreshLater() }
  }
  // A live timeline brings the tenant's status along: the badge beside the name must not contradict it.
  function showStatus() {
    const steps = $("[data-live] > .steps"), badge = $("h1 + .badge")
    if (!steps || !badge) return
    badge.className = "badge " + steps.dataset.status
    badge.textContent = steps.dataset.text
  }
  let later
  function refreshLater() { clearTimeout(later); later = setTimeout(refresh, 5000) }
  // The first connection of a timeline has failed; htmx repeats only later ones.
  for (const name of ["htmx:error", "htmx:response:error"]) document.addEventListener(name, event => { if (event.target.closest?.("[data-live]")) refreshLater() })
  document.addEventListener("end", event => { if (event.target.closest("[data-live]")) refresh() })
  document.addEventListener("htmx:sse:error", event => { if (event.detail?.status === 401) location.reload() })
  document.addEventListener("htmx:after:swap", () => { enhance(document); showStatus() })
  document.addEventListener("htmx:after:process", () => enhance(document))

  // A reload must not repeat a form, nor say again what one has done.
  const address = $("[data-address]")
  const here = new URL(location.href)
  if (address) history.replaceState(history.state, "", address.dataset.address)
  else if (here.searchParams.has("done")) {
    here.searchParams.delete("done")
    history.replaceState(history.state, "", here)
  }

  // The first page stays current while a person is there, not for ever: an open page is no use of the session.
  const attended = 15 * 60_000
  let lastInput = Date.now()
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, () => { lastInput = Date.now() }, {passive: true})
  setInterval(() => {
    if ($("[data-refresh]") && !document.hidden && Date.now() - lastInput < attended) refresh()
  }, 60_000)

  // A page that could not be shown tries again.
  const reload = $("[data-reload]")
  if (reload) setTimeout(() => location.reload(), Number(reload.dataset.reload) * 1000)
  const go = $("[data-go]")
  if (go) location.replace(go.dataset.go)
  enhance(document)
})()
