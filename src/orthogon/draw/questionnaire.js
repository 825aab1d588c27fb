// One example at a time, keys to answer, and a CSV at the end. Everything it shows stands in the page already;
// texts of the user are only ever written as text.
(() => {
  "use strict";
  const at = id => document.getElementById(id);
  const setup = JSON.parse(at("setup").textContent);
  const items = [...document.querySelectorAll(".item")];
  const ids = items.map(item => item.dataset.id);
  const own = setup.keys === "names", typing = setup.keys === "typing";
  const KEYS = "123456789abcdefghijklmnopqrstvwxyz"; // u undoes
  const store = "orthogon:" + setup.key;
  const typed = at("typed"), picks = at("picks");
  let choices = [...setup.choices], answers = new Map(), past = [], here = 0, saved = true;

  const keyOf = place => (own ? choices[place] : typing ? "" : KEYS[place] || "");
  const given = id => answers.get(id) || [];
  const open = () => ids.findIndex(id => !answers.has(id));

  function keep() {
    saved = false;
    try {
      localStorage.setItem(store, JSON.stringify({ answers: [...answers], choices, here }));
    } catch { /* a browser without storage, or a full one: the page works on */ }
  }

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(store));
      if (!kept) return;
      answers = new Map(kept.answers.filter(([id]) => ids.includes(id)));
      choices = [...new Set([...setup.choices, ...kept.choices])];
      here = Math.max(0, Math.min(items.length - 1, kept.here | 0));
      saved = answers.size === 0;
    } catch { /* nothing was kept that can be read */ }
  }

  function build() {
    picks.replaceChildren(...choices.map((name, place) => {
      const button = document.createElement("button"), key = keyOf(place);
      button.type = "button";
      button.dataset.place = place;
      if (key && key !== name) {
        const hint = document.createElement("kbd");
        hint.textContent = key;
        button.append(hint, " ");
      }
      if (key) button.setAttribute("aria-keyshortcuts", key);
      const label = document.createElement("span");
      label.textContent = name;
      button.append(label);
      return button;
    }));
  }

  function fitting() {
    const wanted = typing ? typed.value.trim().toLowerCase() : "";
    const found = choices.filter(name => name.toLowerCase().includes(wanted));
    const begins = name => name.toLowerCase().startsWith(wanted);
    return [...found.filter(begins), ...found.filter(name => !begins(name))];
  }

  function show() {
    const mine = given(ids[here]), fits = new Set(fitting()), first = typing && typed.value.trim() ? fitting()[0] : "";
    items.forEach((item, place) => { item.hidden = place !== here; });
    for (const button of picks.children) {
      const name = choices[button.dataset.place];
      button.setAttribute("aria-pressed", mine.includes(name));
      button.classList.toggle("first", name === first);
      button.hidden = !fits.has(name);
    }
    const done = open() < 0;
    at("place").textContent = `${here + 1} of ${items.length}`;
    at("count").textContent = `${answers.size} ${setup.tags ? "looked at" : "answered"}`;
    at("bar").value = answers.size;
    at("done").hidden = !done;
    at("save").classList.toggle("ready", done);
    at("back").disabled = here === 0;
    at("undo").disabled = past.length === 0;
  }

  function answer(id, names) {
    past.push([id, answers.get(id), here]);
    names ? answers.set(id, names) : answers.delete(id);
  }

  function choose(name) {
    const id = ids[here], mine = given(id);
    if (setup.tags) {
      answer(id, mine.includes(name) ? mine.filter(one => one !== name) : [...mine, name]);
    } else {
      answer(id, [name]);
      typed.value = "";
      const later = ids.findIndex((other, place) => place > here && !answers.has(other));
      here = later >= 0 ? later : open() >= 0 ? open() : here;
    }
    keep();
    show();
    if (typing) typed.focus({ preventScroll: true });
  }

  function go(step) {
    if (setup.tags && step > 0 && !answers.has(ids[here])) answer(ids[here], []);
    here = Math.max(0, Math.min(items.length - 1, here + step));
    keep();
    show();
  }

  function undo() {
    const last = past.pop();
    if (!last) return;
    const [id, before, place] = last;
    before ? answers.set(id, before) : answers.delete(id);
    here = place;
    keep();
    show();
  }

  function add() {
    const name = typed.value.trim().replace(/\s+/g, " ");
    typed.value = "";
    typed.blur();
    if (!name || name === setup.none) return;
    if (!choices.includes(name)) {
      choices.push(name);
      build();
    }
    if (given(ids[here]).includes(name)) return show();
    choose(name);
  }

  const quoted = text => (/[",;\r\n]|^\s|\s$/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);

  function table() {
    const rows = [["id", setup.column]];
    for (const id of ids) {
      const mine = answers.get(id);
      for (const name of !mine ? [""] : mine.length ? mine : [setup.none]) rows.push([id, name]);
    }
    return rows.map(row => row.map(quoted).join(",") + "\r\n").join("");
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff" + table()], { type: "text/csv" }));
    link.download = setup.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved = true;
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key, inside = event.target === typed;
    if (inside && setup.tags) {
      if (key === "Enter") add();
      else if (key === "Escape") { typed.value = ""; typed.blur(); }
      else return;
    } else if (inside && key === "Enter") {
      if (!typed.value.trim() || !fitting().length) return;
      choose(fitting()[0]);
    } else if (inside && typed.value) {
      return;
    } else if (typing && !inside && key.length === 1) {
      return typed.focus(); // the letter goes into the field
    } else if (key === "ArrowRight" || (key === "Enter" && setup.tags && event.target.tagName !== "BUTTON")) {
      go(1);
    } else if (key === "ArrowLeft") {
      go(-1);
    } else if (key === "Backspace" || (key === "u" && !inside)) {
      undo();
    } else if (key === "/" && setup.tags) {
      typed.focus();
    } else {
      const place = choices.findIndex((_, number) => keyOf(number) && keyOf(number) === key.toLowerCase());
      if (place < 0 || inside) return;
      choose(choices[place]);
    }
    event.preventDefault();
  }

  picks.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button) choose(choices[button.dataset.place]);
  });
  // A click leaves the focus where it was, so that Enter goes on instead of pressing the button again.
  at("desk").addEventListener("mousedown", event => {
    if (event.target.closest("button")) event.preventDefault();
  });
  typed.addEventListener("input", () => { if (typing) show(); });
  at("add").addEventListener("click", add);
  at("back").addEventListener("click", () => go(-1));
  at("next").addEventListener("click", () => go(1));
  at("undo").addEventListener("click", undo);
  at("save").addEventListener("click", save);
  at("copy").addEventListener("toggle", () => { at("csv").value = table(); });
  document.addEventListener("keydown", onKey);
  addEventListener("beforeunload", event => { if (!saved) event.preventDefault(); });

  restore();
  build();
  document.documentElement.classList.add("asking");
  at("desk").hidden = at("copy").hidden = false;
  at("typed-line").hidden = !(typing || setup.tags);
  at("add").hidden = !setup.tags;
  show();
  if (typing) typed.focus({ preventScroll: true });
})();
