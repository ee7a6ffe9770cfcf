// What needs a wallet in the browser: signing in, agreements, votes, approvals, claims. Any wallet
// will do that speaks EIP-1193; several are told apart as EIP-6963 has it. The wallet shows what is
// signed; the server and the contracts check who signed it.
"use strict";

const wallets = new Map();
let chosen = null;

// A change whose answer got lost is sent once more under the same key: it has one effect.
async function call(method, url, body) {
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16)).join("-");
  const headers = { "Content-Type": "application/json", ...(method === "GET" ? {} : { "Idempotency-Key": key }) };
  const send = () => fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await send()
    .catch(send)
    .catch(() => Promise.reject(new Error("The marketplace does not answer. Try again in a moment")));
  const result = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Error([result.detail, result.hint].filter(Boolean).join(". "));
  return result;
}

async function provider() {
  if (chosen) return chosen;
  const known = [...wallets.values()];
  if (known.length > 1) chosen = (await choose(known)).provider;
  else chosen = known.length ? known[0].provider : window.ethereum;
  if (!chosen) throw new Error("This browser has no wallet");
  return chosen;
}

// Asks which of several wallets is meant; the answer holds until the page is left.
function choose(known) {
  return new Promise((resolve, reject) => {
    const dialog = document.createElement("dialog");
    const title = document.createElement("h2");
    title.textContent = "Which wallet?";
    dialog.append(title);
    for (const each of known) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = each.info.name;
      button.addEventListener("click", () => {
        dialog.close("chosen");
        resolve(each);
      });
      dialog.append(button);
    }
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue !== "chosen") reject(new Error("No wallet was chosen"));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function accounts() {
  return (await provider()).request({ method: "eth_requestAccounts" });
}

async function account() {
  return (await accounts())[0];
}

// Wallets sign typed data for the chain that they are on, and for no other.
async function onChain(chainId) {
  const wallet = await provider();
  const wanted = "0x" + Number(chainId).toString(16);
  if (Number(await wallet.request({ method: "eth_chainId" })) === Number(chainId)) return;
  try {
    await wallet.request({ method: "wallet_switchEthereumChain", params: [{ chainId: wanted }] });
  } catch (error) {
    if (error.code !== 4902) throw error; // the chain is unknown to this wallet: EIP-3085
    const { rpc_url: rpc } = await call("GET", "/api/deployment");
    const chain = {
      chainId: wanted,
      chainName: "Swarm learning",
      rpcUrls: [rpc],
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    };
    await wallet.request({ method: "wallet_addEthereumChain", params: [chain] });
  }
  const found = Number(await wallet.request({ method: "eth_chainId" }));
  if (found !== Number(chainId)) throw new Error(`The wallet is on chain ${found}: switch it to chain ${chainId}`);
}

// What a wallet's error says, in a sentence. EIP-1193 has a number for the person's own no.
function refusal(error) {
  return error.code === 4001 ? "You rejected the request in the wallet" : (error.message ?? String(error));
}

async function signTyped(data, address) {
  await onChain(data.domain.chainId);
  const parameters = [address ?? (await account()), JSON.stringify(data)];
  return (await provider()).request({ method: "eth_signTypedData_v4", params: parameters });
}

// The account of this address, which the person may have to allow the page to see first.
async function accountOf(address) {
  const same = (each) => each.toLowerCase() === address.toLowerCase();
  let found = (await accounts()).find(same);
  if (!found) {
    const asked = [{ eth_accounts: {} }];
    await (await provider()).request({ method: "wallet_requestPermissions", params: asked });
    found = (await accounts()).find(same);
  }
  if (!found) throw new Error(`The wallet does not show the account ${address}`);
  return found;
}

async function signIn() {
  const address = await account();
  const { message } = await call("POST", "/api/session/challenge", { address });
  const parameters = [message, address];
  const signature = await (await provider()).request({ method: "personal_sign", params: parameters });
  await call("POST", "/api/session", { message, signature });
}

const actions = {
  async "sign-in"({ next }) {
    await signIn();
    location.assign(next);
  },
  async join({ secret }) {
    await signIn();
    const { id } = await call("POST", "/api/invitations/accept", { secret });
    location.assign(`/drafts/${id}`);
  },
  async sign({ agreement, organization }) {
    const url = `/api/agreements/${agreement}`;
    const signature = await signTyped((await call("GET", url)).typed_data);
    await call("POST", `${url}/signatures`, { organization, signature });
  },
  async "sign-amendment"({ amendment, organization }) {
    const url = `/api/amendments/${amendment}`;
    const signature = await signTyped((await call("GET", url)).typed_data);
    await call("POST", `${url}/signatures`, { organization, signature });
  },
  async vote({ motion, organization }) {
    const url = `/api/motions/${motion}`;
    const signature = await signTyped((await call("GET", url)).typed_data);
    await call("POST", `${url}/votes`, { organization, signature });
  },
  async act({ kind, agreement, organization, node = "", ask }) {
    if (ask && !confirm(ask)) return;
    const question = { kind, agreement, organization, node };
    const { message, typed_data: data } = await call("POST", "/api/acts/prepare", question);
    await call("POST", "/api/acts", { kind, message, signature: await signTyped(data) });
  },
  async "move-wallet"({ agreement, organization, input }) {
    const wallet = document.getElementById(input).value.trim();
    const question = { kind: "move-wallet", agreement, organization, wallet };
    const { message, typed_data: data } = await call("POST", "/api/acts/prepare", question);
    const signature = await signTyped(data);
    const newSignature = await signTyped(data, await accountOf(wallet));
    const body = { kind: "move-wallet", message, signature, new_signature: newSignature };
    await call("POST", "/api/acts", body);
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
  const wallet = Boolean(window.ethereum) || wallets.size > 0;
  for (const button of document.querySelectorAll("button[data-do]")) {
    if (button.dataset.do in actions) button.hidden = !wallet;
  }
  for (const note of document.querySelectorAll("[data-no-wallet]")) note.hidden = wallet;
}

// Says what went wrong where it is seen and heard, until it is put away.
function complain(message) {
  document.getElementById("toast")?.remove();
  const box = document.createElement("div");
  box.id = "toast";
  box.className = "problem";
  box.setAttribute("role", "alert");
  const text = document.createElement("span");
  text.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => box.remove());
  box.append(text, close);
  document.body.append(box);
}

document.addEventListener("swapped", reveal);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-do]");
  const action = button && actions[button.dataset.do];
  if (!action) return;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await action(button.dataset, button);
    document.getElementById("toast")?.remove();
  } catch (error) {
    if (error) complain(refusal(error));
    button.closest("form")?.querySelector("[data-said]")?.replaceChildren();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
});
window.addEventListener("eip6963:announceProvider", ({ detail }) => {
  wallets.set(detail.info.uuid, detail);
  reveal();
});
window.dispatchEvent(new Event("eip6963:requestProvider"));
reveal();
