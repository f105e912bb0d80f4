// What is live. Without it all pages work; they only don't move.
"use strict";

// How many are here now.
const visitors = document.querySelector("[data-visitors]");
if (visitors) {
  const listen = () => {
    const events = new EventSource("/events");
    const live = (is) => visitors.closest("dl").classList.toggle("live", is);
    events.addEventListener("visitors", (event) => {
      visitors.textContent = event.data;
    });
    events.addEventListener("open", () => live(true));
    events.addEventListener("error", () => live(false));
    // A page that is left is no visitor, even if the browser keeps it for later.
    window.addEventListener("pagehide", () => events.close(), { once: true });
  };
  listen();
  window.addEventListener("pageshow", (event) => event.persisted && listen());
}

// How far an upload has come.
const form = document.querySelector("[data-upload]");
if (form) {
  const bar = form.querySelector("progress");
  const status = form.querySelector("[role=status]");
  const [send, cancel] = form.querySelectorAll("button");
  const say = (text, failed = false) => {
    status.textContent = text;
    status.classList.toggle("error", failed);
  };
  const busy = (is) => {
    bar.parentElement.hidden = !is;
    cancel.hidden = !is;
    send.disabled = is;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // The server would say so as well, but a browser that is sending does not listen.
    const files = [...form.elements.files.files];
    if (files.reduce((sum, file) => sum + file.size, 0) > Number(form.dataset.max)) {
      say("That is more than can be sent at once.", true);
      return;
    }
    const request = new XMLHttpRequest();
    let tenth = -1;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = total ? (100 * loaded) / total : 0;
      // Read aloud: every tenth is enough.
      if (Math.floor(bar.value / 10) !== tenth) {
        tenth = Math.floor(bar.value / 10);
        say(tenth < 10 ? `${10 * tenth} %` : "Saving ...");
      }
    });
    request.addEventListener("load", () => {
      if (request.status < 300) {
        window.location.assign("/uploads");
        return;
      }
      busy(false);
      let problem = {};
      try {
        problem = JSON.parse(request.responseText);
      } catch {
        // Not from this server, then.
      }
      say(problem.detail || problem.title || `Error ${request.status}`, true);
    });
    request.addEventListener("error", () => {
      busy(false);
      say("The connection broke. Nothing was saved; please try again.", true);
    });
    request.addEventListener("abort", () => {
      busy(false);
      say("Cancelled. Nothing was saved.");
    });
    cancel.addEventListener("click", () => request.abort(), { once: true });
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    bar.value = 0;
    busy(true);
    request.send(new FormData(form));
  });
}
