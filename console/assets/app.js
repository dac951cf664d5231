// Keys, folds and fresh pages, for who wants them: every page works without. Nothing here makes markup of text: pages are
// parsed by the browser, their parts are moved, and words are set as text.
"use strict";

(() => {
  /** Seconds between two looks, by page. */
  const EVERY = { "/": 30, "/quarantine": 15 };
  const WHILE_RUNNING = 2;
  /** Seconds without a person after which nothing is asked for: a session is to end when nobody is there. */
  const IDLE = 600;
  /** Where this browser remembers that the keys are off. */
  const OFF = "pinfold-keys-off";
  const KEYS = [
    ["j", "next item"],
    ["k", "previous item"],
    ["o", "open the item"],
    ["a", "to the form that approves"],
    ["r", "to the form that rejects"],
    ["d", "to the difference, and back to where you read"],
    ["u", "back to the queue"],
    ["f", "unfold or fold what is unchanged"],
    ["?", "these keys"],
  ];

  let seen = Date.now();
  let looked = Date.now();
  for (const event of ["keydown", "pointerdown", "pointermove", "scroll"]) {
    addEventListener(event, () => { seen = Date.now(); }, { passive: true, capture: true });
  }

  const one = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const isField = (element) => element instanceof Element
    && (element.matches("input, textarea, select, [contenteditable]") || element.closest("dialog") !== null);

  function made(name, text) {
    const element = document.createElement(name);
    element.textContent = text;
    return element;
  }

  // Keys.

  const rows = () => all("ol.queue h2 a");

  function step(by) {
    const list = rows();
    if (list.length === 0) {
      one(by > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
      return;
    }
    const at = list.indexOf(document.activeElement);
    const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), list.length - 1);
    list[to].focus();
    list[to].scrollIntoView({ block: "nearest" });
  }

  function open() {
    const list = rows();
    (list.find((row) => row === document.activeElement) ?? list[0])?.click();
  }

  /** How far down somebody was reading when they went to a form. */
  let read = null;

  function toForm(act) {
    const field = document.getElementById(`${act}-reason`) ?? one("#prove");
    const fold = field?.closest("details");
    if (fold) {
      fold.open = true;
    }
    read = scrollY;
    field?.focus();
    field?.closest("form, div").scrollIntoView({ block: "nearest" });
  }

  function toDifference() {
    const difference = one("#difference");
    if (difference === null) {
      return;
    }
    difference.tabIndex = -1;
    difference.focus({ preventScroll: read !== null });
    if (read !== null) {
      scrollTo({ top: read });
      read = null;
    }
  }

  function unfold() {
    const folds = all(".diff details");
    const isOpen = folds.some((fold) => !fold.open);
    for (const fold of folds) {
      fold.open = isOpen;
    }
    name();
  }

  /** Names the button by what it does next. */
  function name() {
    const folds = all(".diff details");
    const button = one("#unfold");
    if (button !== null && folds.length > 0) {
      button.parentElement.hidden = false;
      button.textContent = folds.some((fold) => !fold.open) ? "Unfold all" : "Fold all";
    }
  }

  const acts = {
    j: () => step(1),
    k: () => step(-1),
    o: open,
    a: () => toForm("approve"),
    r: () => toForm("reject"),
    d: toDifference,
    u: () => location.assign("/quarantine"),
    f: unfold,
    "?": () => map.showModal(),
  };

  const map = document.createElement("dialog");
  map.className = "keys";
  map.setAttribute("aria-labelledby", "keys-title");
  const title = made("h2", "Keys");
  title.id = "keys-title";
  const list = document.createElement("dl");
  for (const [key, does] of KEYS) {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    term.append(made("kbd", key));
    row.append(term, made("dd", does));
    list.append(row);
  }
  const label = made("label", " Keys are on in this browser");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = localStorage.getItem(OFF) === null;
  box.addEventListener("change", () => {
    if (box.checked) {
      localStorage.removeItem(OFF);
    } else {
      localStorage.setItem(OFF, "1");
    }
  });
  label.prepend(box);
  const close = made("button", "Close");
  close.addEventListener("click", () => map.close());
  map.append(title, list, label, close);
  document.body.append(map);

  const shows = made("button", "Keys");
  shows.className = "quiet shows-keys";
  shows.type = "button";
  shows.addEventListener("click", () => map.showModal());
  one("header.top .who")?.before(shows);

  document.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
    const act = Object.hasOwn(acts, event.key) ? acts[event.key] : null;
    if (act !== null && isPlain && box.checked && !isField(document.activeElement)) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) {
      return;
    }
    const jump = event.target.closest(".deciding a, .decide .back a");
    if (event.target.id === "unfold") {
      unfold();
    } else if (jump !== null) {
      event.preventDefault();
      const to = jump.hash.slice(1);
      if (to === "difference") {
        toDifference();
      } else {
        toForm(to);
      }
    }
  });
  document.addEventListener("toggle", name, true);

  // The menu, where it is wider than the screen.

  /** Scrolls the menu so that a link of it is seen whole, and the page not at all. */
  function showLink(link) {
    const menu = link.parentElement;
    menu.scrollLeft = link.offsetLeft - menu.offsetLeft - (menu.clientWidth - link.offsetWidth) / 2;
  }

  one("header.top nav")?.addEventListener("focusin", (event) => {
    // A link must not move away from under the finger that is pressing it.
    if (event.target.matches(":focus-visible")) {
      showLink(event.target);
    }
  });
  all("header.top nav a[aria-current]").forEach(showLink);

  // Fresh pages.

  /** Whether somebody would be disturbed. */
  function isBusy() {
    const selection = getSelection();
    return document.hidden || map.open || isField(document.activeElement)
      || (selection !== null && !selection.isCollapsed) || Date.now() - seen > IDLE * 1000;
  }

  /** Keeps the rows of a list where they stand: what is read must not jump. What is new comes behind. */
  function asItStood(here, part) {
    const list = part.querySelector("ol.queue");
    if (list === null) {
      return;
    }
    const link = (row) => row.querySelector("h2 a").getAttribute("href");
    const stood = Array.from(here.querySelectorAll("ol.queue > li"), link);
    const place = (row) => {
      const at = stood.indexOf(link(row));
      return at < 0 ? stood.length : at;
    };
    const rows = Array.from(list.children);
    const kept = rows.toSorted((one, other) => place(one) - place(other));
    const isOther = kept.some((row, at) => row !== rows[at]);
    list.replaceChildren(...kept);
    part.querySelector("#order").hidden = !isOther;
  }

  function renew(page) {
    for (const part of Array.from(page.querySelectorAll("[data-live]"))) {
      const here = document.getElementById(part.id);
      if (here !== null) {
        asItStood(here, part);
      }
      if (here === null || here.isEqualNode(part)) {
        continue;
      }
      const focused = here.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      here.replaceWith(document.adoptNode(part));
      if (focused !== null) {
        all("a[href]").find((link) => link.getAttribute("href") === focused)?.focus();
      }
    }
    name();
  }

  function look() {
    const every = one("[data-running]") === null ? EVERY[location.pathname] : WHILE_RUNNING;
    if (every === undefined || Date.now() - looked < every * 1000 || isBusy()) {
      return;
    }
    looked = Date.now();
    // A document is parsed without a policy for trusted types, and none of its scripts runs.
    const asked = new XMLHttpRequest();
    asked.open("GET", location.pathname + location.search);
    asked.responseType = "document";
    asked.addEventListener("load", () => {
      looked = Date.now();
      const isSame = asked.responseURL === location.href.split("#")[0];
      if (asked.status === 200 && isSame && asked.responseXML !== null && !isBusy()) {
        renew(asked.responseXML);
      }
    });
    asked.send();
  }

  name();
  if (one("[data-live]") !== null) {
    setInterval(look, 1000);
  }
})();
