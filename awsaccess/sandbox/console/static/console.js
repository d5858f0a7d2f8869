// What follows "#" in a link never reaches a server: carry it over to where the server can read it.
"use strict";
const hash = location.hash; // "#/stacks/create/review?templateURL=..."
const cut = hash.indexOf("?");
const page = cut < 0 ? hash : hash.slice(0, cut);
const served = {
  "#/stacks/create/review": "/cloudformation/review",
  "#/stacks/quickcreate": "/cloudformation/review",
  "#/stacks/update/template": "/cloudformation/update-review",
  "#/stacks": "/cloudformation/stacks",
}[page];
if (served && location.pathname === "/cloudformation/home") {
  const asked = new URLSearchParams(hash.slice(cut + 1)); // "+" becomes a space, as in AWS's console
  asked.set("region", new URLSearchParams(location.search).get("region") ?? "us-east-1");
  location.replace(`${served}?${asked}`);
}

// A redirect to the sign-in keeps the fragment in the address; the form has to take it on.
for (const next of document.querySelectorAll("input[name=next]")) next.value += hash;
