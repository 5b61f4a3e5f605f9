// The console's script. Without it every page can be read; with it pages follow the news, files can be uploaded, texts copied.
"use strict";

const token = document.querySelector('meta[name="token"]')?.content ?? "";

function copyButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// Asks for this page again and takes over the parts that differ. Open, focused and playing things stay.
let asking = false;
let again = false;
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!next || next.innerHTML === part.dataset.was) continue;
      const playing = [...part.querySelectorAll("video")].some((video) => !video.paused);
      if (playing) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const scrolled = part.querySelector(".canvas")?.scrollLeft ?? 0;
      const opened = new Set([...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
      part.dataset.was = next.innerHTML;
      part.replaceChildren(...next.childNodes);
      copyButtons(part);
      for (const summary of part.querySelectorAll("details > summary")) {
        if (opened.has(summary.textContent)) summary.parentElement.open = true;
      }
      if (part.querySelector(".canvas")) part.querySelector(".canvas").scrollLeft = scrolled;
      if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    }
    if (!fresh.body.dataset.live) { over = true; pause(); }
  } finally {
    asking = false;
    if (again) { again = false; refresh(); }
  }
}

let news = null;
let over = false;
function follow(address) {
  const lost = document.querySelector("[data-connection]");
  news = new EventSource(address);
  news.addEventListener("change", refresh);
  // Something may have changed between the page and the first event, or while there was no connection.
  news.addEventListener("ready", () => { if (lost) lost.hidden = true; refresh(); });
  news.addEventListener("error", () => { if (lost) lost.hidden = false; });
}

function pause() {
  news?.close();
  news = null;
}

// A browser has few connections to one place, so a page that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => {
  const address = document.body.dataset.live;
  if (!address || over) return;
  if (document.hidden) pause();
  else if (!news) follow(address);
});

// The drag of a folder.
async function filesOf(entry, path, into) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    into.push({ file, path: path + entry.name });
  } else if (entry.isDirectory) {
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (some.length === 0) break;
      for (const inner of some) await filesOf(inner, `${path}${entry.name}/`, into);
    }
  }
}

// Two files never get one name: kitchen/1.jpg and kitchen-1.jpg.
function named(files) {
  const taken = new Set();
  for (const item of files) {
    let name = item.path.split("/").filter(Boolean).join("-");
    for (let number = 2; taken.has(name.toLowerCase()); number++) {
      const dot = item.path.lastIndexOf(".");
      name = (dot > 0 ? `${item.path.slice(0, dot)}-${number}${item.path.slice(dot)}` : `${item.path}-${number}`).split("/").join("-");
    }
    taken.add(name.toLowerCase());
    item.name = name;
  }
  return files;
}

// Stores a file in the bucket and returns its key and how it was stored: "new", "same" or "renamed".
async function stored(listing, path, file) {
  const query = new URLSearchParams({ listing, path });
  const answer = await fetch(`/console/upload?${query}`, {
    method: "PUT", body: file, headers: { "x-stagehost-token": token, "content-type": "application/octet-stream" },
  });
  if (!answer.ok) throw new Error(sentenceOf(await answer.text()));
  return answer.json();
}

const STORED = { new: "stored", same: "was there already, with the same bytes", renamed: "stored under another name" };

function sentenceOf(text) {
  return new DOMParser().parseFromString(text, "text/html").querySelector("main p")?.textContent || text;
}

function uploads(form) {
  const drop = document.getElementById("drop");
  const list = document.getElementById("chosen");
  const start = document.getElementById("start");
  const problem = document.getElementById("upload-problem");
  const note = document.getElementById("upload-note");
  let files = [];

  function choose(chosen) {
    files = named(chosen.filter((item) => !item.path.split("/").some((part) => part.startsWith("."))));
    list.replaceChildren(...files.map((item) => {
      const line = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = item.path;
      item.state = document.createElement("span");
      item.state.textContent = `${(item.file.size / 1e6).toFixed(1)} MB`;
      line.append(name, item.state);
      return line;
    }));
    start.disabled = files.length === 0;
    start.textContent = files.length === 0 ? "Start" : `Start a batch of ${files.length} ${files.length === 1 ? "file" : "files"}`;
  }

  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const inFolder = (file) => file.webkitRelativePath.split("/").slice(1).join("/");
      choose([...input.files].map((file) => ({ file, path: inFolder(file) || file.name })));
    });
  }
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const found = entries.length > 0 ? [] : [...event.dataTransfer.files].map((file) => ({ file, path: file.name }));
    for (const entry of entries) {
      if (entry.isDirectory && entries.length === 1) {
        const inside = [];
        await filesOf(entry, "", inside);
        found.push(...inside.map((item) => ({ ...item, path: item.path.split("/").slice(1).join("/") })));
      } else {
        await filesOf(entry, "", found);
      }
    }
    choose(found);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    note.hidden = true;
    start.disabled = true;
    const listing = form.elements.listing.value.trim();
    const keys = [];
    const renamed = [];
    try {
      for (const item of files) {
        item.state.textContent = "…";
        const { key, stored: how } = await stored(listing, item.name, item.file);
        // Two names can become one key.
        if (!keys.includes(key)) keys.push(key);
        item.state.textContent = STORED[how];
        if (how === "renamed") renamed.push(`${item.name} is stored as ${key.split("/").pop()}`);
      }
      const answer = await fetch(form.action, {
        method: "POST", body: JSON.stringify({ listing, keys }), headers: { "x-stagehost-token": token, "content-type": "application/json" },
      });
      if (!answer.ok) throw new Error(sentenceOf(await answer.text()));
      const { page } = await answer.json();
      if (renamed.length === 0) { location.href = page; return; }
      // The page stays, so that the new names can be read.
      note.querySelector("span").textContent = `Other files have these names today: ${renamed.join(", ")}. The batch has begun.`;
      note.querySelector("a").href = page;
      note.hidden = false;
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      start.disabled = false;
    }
  });
}

// One file for one stage: it is stored first, then the form is sent with its key.
function playground(form) {
  form.addEventListener("submit", async (event) => {
    const [file] = form.querySelector("input[type=file]").files;
    if (!file) return;
    event.preventDefault();
    const problem = document.getElementById("playground-problem");
    problem.hidden = true;
    try {
      form.elements.key.value = (await stored(form.elements.listing.value.trim(), file.name, file)).key;
      form.submit();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
}

for (const part of document.querySelectorAll("[data-part]")) part.dataset.was = part.innerHTML;
copyButtons(document);
if (document.body.dataset.live && !document.hidden) follow(document.body.dataset.live);
const upload = document.getElementById("upload");
if (upload) uploads(upload);
const trial = document.getElementById("playground");
if (trial) playground(trial);
