// Reloads the page when central has news. Nothing is typed on the pages that
// reload: the forms have the stage "identify" or "choose".
(function () {
  "use strict";
  var shown = document.body.getAttribute("data-state") || "";
  if (shown.indexOf("ready") !== 0) return;
  var wait = 3000;
  function ask() {
    if (document.hidden) { setTimeout(ask, wait); return; }
    fetch("/m/state", { credentials: "same-origin", cache: "no-store" })
      .then(function (r) { return r.ok ? r.text() : shown; })
      .then(function (now) {
        if (now !== shown) { location.reload(); return; }
        wait = Math.min(wait * 1.2, 20000);
        setTimeout(ask, wait);
      })
      .catch(function () { wait = Math.min(wait * 2, 60000); setTimeout(ask, wait); });
  }
  document.addEventListener("visibilitychange", function () { wait = 3000; });
  setTimeout(ask, wait);
})();
