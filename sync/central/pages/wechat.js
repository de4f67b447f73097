// Opens WeChat's cashier with the parameters that central has signed. What the
// cashier says here is shown and never believed: the next page asks central.
(function () {
  "use strict";
  var button = document.getElementById("pay");
  var word = document.getElementById("word");
  function say(zh, en) {
    word.textContent = zh + " ";
    var small = document.createElement("small");
    small.textContent = en;
    word.appendChild(small);
  }
  function pay() {
    if (!window.WeixinJSBridge) {
      say("请在微信中打开本页", "Please open this page in WeChat.");
      return;
    }
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(button.getAttribute("data-params")), function (res) {
      if (res.err_msg === "get_brand_wcpay_request:ok") {
        location.replace("/m/");
        return;
      }
      say("没有付成，可以再试一次；没有扣款", "Not paid. You can try again; no money was taken.");
    });
  }
  button.addEventListener("click", pay);
  if (window.WeixinJSBridge) pay();
  else document.addEventListener("WeixinJSBridgeReady", pay, false);
})();
