// A approves, R then a digit returns, N goes on without deciding, Z zooms and C
// puts the photos of a conflict side by side.
(function () {
  "use strict";
  var armed = false, sent = false;
  function send(button) {
    if (!button || sent) return;
    button.form.requestSubmit ? button.form.requestSubmit(button) : button.click();
  }
  document.addEventListener("submit", function (e) {
    if (sent) { e.preventDefault(); return; }
    sent = true;
  });
  window.addEventListener("pageshow", function () { sent = false; });
  // The pictures that are looked at closely, beside each other. They move
  // together, so that the same part of both is seen.
  var zoom = document.getElementById("zoom"), panes = document.getElementById("panes"), by = 1, moving = false;
  // At 1× the whole picture is seen; beyond, what was in the middle stays there.
  function size(n) {
    by = n;
    document.getElementById("zoom-by").textContent = n + "×";
    panes.querySelectorAll(".pane").forEach(function (pane) {
      var img = pane.firstChild, wide = img.naturalWidth || 3, high = img.naturalHeight || 4;
      var x = (pane.scrollLeft + pane.clientWidth / 2) / pane.scrollWidth, y = (pane.scrollTop + pane.clientHeight / 2) / pane.scrollHeight;
      img.style.width = Math.min(pane.clientWidth, pane.clientHeight * wide / high) * n + "px";
      pane.scrollLeft = x * pane.scrollWidth - pane.clientWidth / 2;
      pane.scrollTop = y * pane.scrollHeight - pane.clientHeight / 2;
    });
  }
  function look(pictures) {
    if (!pictures.length || !zoom.showModal) return;
    panes.textContent = "";
    pictures.forEach(function (from, i) {
      var pane = document.createElement("div"), img = from.cloneNode();
      pane.className = "pane";
      pane.tabIndex = 0;
      pane.setAttribute("role", "region");
      img.alt = i + 1 + " " + from.alt.split("，")[0];
      pane.setAttribute("aria-label", img.alt);
      img.addEventListener("load", function () { size(by); });
      pane.appendChild(img);
      pane.addEventListener("scroll", function () {
        if (moving) return;
        moving = true;
        panes.querySelectorAll(".pane").forEach(function (other) {
          if (other === pane) return;
          other.scrollLeft = pane.scrollLeft / (pane.scrollWidth - pane.clientWidth || 1) * (other.scrollWidth - other.clientWidth);
          other.scrollTop = pane.scrollTop / (pane.scrollHeight - pane.clientHeight || 1) * (other.scrollHeight - other.clientHeight);
        });
        requestAnimationFrame(function () { moving = false; });
      });
      pane.addEventListener("click", function (e) {
        var box = img.getBoundingClientRect(), x = (e.clientX - box.left) / box.width, y = (e.clientY - box.top) / box.height;
        size(by < 4 ? by * 2 : 1);
        pane.scrollLeft = x * img.clientWidth - pane.clientWidth / 2;
        pane.scrollTop = y * img.clientHeight - pane.clientHeight / 2;
      });
      panes.appendChild(pane);
    });
    zoom.showModal();
    size(1);
    panes.firstChild.focus();
  }
  document.querySelectorAll("[data-look]").forEach(function (b) {
    b.addEventListener("click", function () { look(b.querySelectorAll("img")); });
  });
  if (zoom) {
    document.getElementById("zoom-more").addEventListener("click", function () { size(by < 4 ? by * 2 : 1); });
    document.getElementById("zoom-close").addEventListener("click", function () { zoom.close(); });
  }

  document.addEventListener("keydown", function (e) {
    if (zoom && zoom.open) {
      var pane = panes.firstChild, step = 80;
      var to = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
      if (to) { pane.scrollBy(to[0], to[1]); e.preventDefault(); }
      if (e.key.toLowerCase() === "z" && !e.repeat) size(by < 4 ? by * 2 : 1);
      return; // nothing is decided behind a picture
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    var key = e.key.toLowerCase();
    var form = document.querySelector("[data-reject]");
    if (armed && form && /^[0-9]$/.test(key)) {
      var note = form.querySelector("input[name=note]");
      if (key === "0" && !note.value.trim()) { note.focus(); e.preventDefault(); return; }
      send(form.querySelector('[data-digit="' + key + '"]'));
      return;
    }
    armed = key === "r" && !!form;
    document.body.classList.toggle("armed", armed);
    if (key === "a") send(document.querySelector('[data-key="a"]'));
    if (key === "z") look(document.querySelectorAll("#current [data-look] img"));
    if (key === "c") look(document.querySelectorAll("img.std"));
    if (key === "n") location.href = "/review/next?after=" + location.pathname.split("/").pop();
  });
  document.body.setAttribute("data-keys", "ready");
})();
