// Passkeys: asks the browser for a key or a signature and posts the answer with the form around the button.
// A block is <div data-passkey="get|create" data-options="…"> (or data-options-url="…") with a hidden input and a button.
(function () {
  "use strict";

  function toBytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (one) { return one.charCodeAt(0); });
  }

  function toText(buffer) {
    const plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function withBytes(list) {
    return (list || []).map(function (one) { return Object.assign({}, one, { id: toBytes(one.id) }); });
  }

  function prepared(options) {
    const asked = Object.assign({}, options, { challenge: toBytes(options.challenge) });
    if (asked.user) { asked.user = Object.assign({}, asked.user, { id: toBytes(asked.user.id) }); }
    if (asked.excludeCredentials) { asked.excludeCredentials = withBytes(asked.excludeCredentials); }
    if (asked.allowCredentials) { asked.allowCredentials = withBytes(asked.allowCredentials); }
    Object.keys(asked).forEach(function (key) { if (asked[key] === null) { delete asked[key]; } });
    return asked;
  }

  function told(credential) {
    const response = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (credential.response[name]) { response[name] = toText(credential.response[name]); }
    });
    return JSON.stringify({
      id: credential.id, rawId: toText(credential.rawId), type: credential.type,
      clientExtensionResults: {}, response: response
    });
  }

  async function optionsOf(block) {
    if (block.dataset.options) { return JSON.parse(block.dataset.options); }
    const token = block.closest("form").querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(block.dataset.optionsUrl, { method: "POST", headers: { "X-CSRFToken": token } });
    if (!answer.ok) { throw new Error("no options"); }
    return answer.json();
  }

  async function press(block) {
    const fault = block.querySelector("[data-fault]");
    if (fault) { fault.hidden = true; }
    try {
      const publicKey = prepared(await optionsOf(block));
      const credential = await navigator.credentials[block.dataset.passkey]({ publicKey: publicKey });
      block.querySelector("input[type=hidden]").value = told(credential);
      block.closest("form").submit();
    } catch (error) {
      // Also when the person closed the browser's window: nothing happened, and they may press again.
      if (fault) { fault.hidden = false; }
    }
  }

  // A page may hold several buttons, each with its script tag.
  if (!window.PublicKeyCredential || window.passkeysAreUp) { return; }
  window.passkeysAreUp = true;
  document.querySelectorAll("[data-passkey]").forEach(function (block) {
    const button = block.querySelector("button");
    block.hidden = false;
    button.addEventListener("click", function () { press(block); });
  });
})();
