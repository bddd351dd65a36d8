// Tells how far the model has come, and keeps the page for use without a network.

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

// Shows above the form what the worker says of its loading.
export function showLoading(worker) {
  const notice = Object.assign(document.createElement("p"), { id: "loading", className: "notice" });
  notice.setAttribute("role", "status");
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", "Loading the model");
  const figures = document.createElement("span");
  // A screen reader reads the sentence once, and the bar when asked.
  figures.setAttribute("aria-hidden", "true");
  notice.append("Loading the model; what you ask meanwhile waits for it. ", bar, " ", figures);
  document.getElementById("main").prepend(notice);

  worker.addEventListener("message", ({ data: { loaded, total, ready, failed } }) => {
    if (total) {
      bar.max = total;
      bar.value = loaded;
      figures.textContent = `${megabytes(loaded)} of ${megabytes(total)} MB`;
    }
    if (failed) {
      notice.classList.add("error");
      notice.replaceChildren(failed);
    }
    if (ready) {
      notice.className = "hint";
      notice.style.marginBottom = "1rem";
      notice.replaceChildren("Nothing that you write leaves this device.");
      keep(notice);
    }
  });
  worker.addEventListener("error", (event) => {
    notice.classList.add("error");
    notice.replaceChildren(`The model cannot start: ${event.message ?? "this browser is too old"}`);
  });
}

// What has been loaded lies in the browser's cache already; the service worker fetches the rest.
async function keep(notice) {
  if (!navigator.serviceWorker) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
    notice.replaceChildren("Ready for use without a network. Nothing that you write leaves this device.");
  } catch (error) {
    notice.append(` Without a network this page will not work: ${error.message}`);
  }
}
