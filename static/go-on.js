// Presses the one button of a page that only brings an answer in: once, and not again when the page is gone back to.
(function () {
  "use strict";
  const form = document.querySelector("form[data-go-on]");
  const navigation = performance.getEntriesByType("navigation")[0];
  if (form && !(navigation && navigation.type === "back_forward")) { form.requestSubmit(); }
})();
