// What needs a wallet in the browser (EIP-1193): signing in, agreements, approvals, claims.
// The wallet shows what is signed; the server and the contracts check who signed it.
"use strict";

async function call(method, url, body) {
  const answer = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const result = await answer.json();
  if (!answer.ok) throw new Error([result.detail, result.hint].filter(Boolean).join(". "));
  return result;
}

async function account() {
  return (await window.ethereum.request({ method: "eth_requestAccounts" }))[0];
}

async function signTyped(data) {
  const parameters = [await account(), JSON.stringify(data)];
  return window.ethereum.request({ method: "eth_signTypedData_v4", params: parameters });
}

const actions = {
  async "sign-in"({ next }) {
    const address = await account();
    const { message } = await call("POST", "/api/session/challenge", { address });
    const signature = await window.ethereum.request({ method: "personal_sign", params: [message, address] });
    await call("POST", "/api/session", { message, signature });
    location.assign(next);
  },
  async sign({ agreement, organization }) {
    const url = `/api/agreements/${agreement}`;
    const signature = await signTyped((await call("GET", url)).typed_data);
    await call("POST", `${url}/signatures`, { organization, signature });
  },
  async approve({ enrollment }) {
    const waiting = await call("GET", "/api/enrollments");
    const signature = await signTyped(waiting.find((each) => each.id === enrollment).typed_data);
    await call("POST", `/api/enrollments/${enrollment}/approval`, { signature });
  },
  async claim({ run, organization }) {
    const { claim, typed_data: data } = await call("POST", "/api/claims/prepare", { run, organization });
    await call("POST", "/api/claims", { claim, signature: await signTyped(data) });
  },
};

function reveal() {
  const wallet = Boolean(window.ethereum);
  for (const button of document.querySelectorAll("button[data-do]")) {
    if (button.dataset.do in actions) button.hidden = !wallet;
  }
  for (const note of document.querySelectorAll("[data-no-wallet]")) note.hidden = wallet;
}

document.addEventListener("swapped", reveal);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-do]");
  const action = button && actions[button.dataset.do];
  if (!action) return;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await action(button.dataset);
  } catch (error) {
    alert(error.message);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
});
reveal();
