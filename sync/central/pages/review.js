// A approves, R then a digit returns, N goes on without deciding.
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
  document.addEventListener("keydown", function (e) {
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
    if (key === "n") location.href = "/review/next?after=" + location.pathname.split("/").pop();
  });
  document.body.setAttribute("data-keys", "ready");
})();
