// Runs: begun by a signature, funded by transactions that the wallet sends itself. Each is followed
// until the marketplace has read it from the chain.
"use strict";

const PATIENCE_MS = 180000;
const LOOK_AFTER_MS = 3000;

// Until something changed here; if that word is lost, a little while.
function news() {
  return new Promise((resolve) => {
    const given = setTimeout(resolve, LOOK_AFTER_MS);
    document.addEventListener("changed", () => (clearTimeout(given), resolve()), { once: true });
  });
}

// Looks, whenever there is news, until `found` is given something.
async function until(look, otherwise) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await news()) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(otherwise);
}

function confirmed({ id }) {
  return until(async () => {
    const operation = await call("GET", `/api/operations/${id}`);
    if (operation.state === "failed") throw new Error([operation.error, operation.hint].filter(Boolean).join(". "));
    return operation.state === "confirmed" && operation;
  }, "It is signed and handed in, and not on chain yet. It shows under Runs as soon as it is: do not sign it again");
}

// Wallets tell of a mined transaction only when they are asked: so this asks them, once a second.
async function mined(hash) {
  const wallet = await provider();
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const receipt = await wallet.request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (receipt && Number(receipt.status) === 1) return;
    if (receipt) throw new Error(`Transaction ${hash} was refused by the chain: nothing was paid by it`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`Transaction ${hash} is sent, and not in a block yet. Look in the wallet before you send another`);
}

function form(button) {
  const found = button.closest("form");
  if (!found.reportValidity()) throw null; // the browser says what is wrong, at its field
  return found;
}

// What goes on, beside the button.
function say(button, text) {
  button.closest("form").querySelector("[data-said]").textContent = text;
}

Object.assign(actions, {
  async begin({ agreement, organization }, button) {
    const { name, continues } = Object.fromEntries(new FormData(form(button)));
    const question = { agreement, organization, name, continues: continues || null };
    const { request, terms, typed_data: data } = await call("POST", "/api/runs/prepare", question);
    say(button, "Waiting for the wallet to sign …");
    const signature = await signTyped(data);
    say(button, "Signed. Waiting for the chain …");
    const { operation } = await call("POST", "/api/runs", { request, terms, signature });
    location.assign(`/runs/${(await confirmed(operation)).result.run}`);
  },
  async fund({ run, account: mine }, button) {
    const filled = form(button);
    const open = await accounts();
    const payer = open.find((each) => each.toLowerCase() === mine.toLowerCase()) ?? open[0];
    const query = new URLSearchParams({ payer, tokens: filled.elements.tokens.value });
    const asked = await call("GET", `/api/runs/${run}/funding?${query}`);
    const before = BigInt((await call("GET", `/api/runs/${run}`)).funded_wei);
    await onChain(asked.chain_id);
    let done = "nothing was sent";
    for (const { to, data, what } of asked.transactions) {
      say(button, `Waiting for the wallet: ${what} …`);
      const hash = await (await provider())
        .request({ method: "eth_sendTransaction", params: [{ from: payer, to, data }] })
        .catch((error) => Promise.reject(Object.assign(new Error(`${refusal(error)} (${done})`))));
      say(button, `Waiting for a block: ${what} …`);
      await mined(hash);
      done = "the pool may take the amount, and has not: fund again to go on";
    }
    say(button, "Paid. Waiting for the marketplace to read it from the chain …");
    const look = async () => BigInt((await call("GET", `/api/runs/${run}`)).funded_wei) > before;
    await until(look, "It is paid, and shows here as soon as the marketplace has read it from the chain");
    filled.reset();
    delete filled.dataset.touched;
    document.activeElement.blur(); // or the page would wait for the end of the writing
    say(button, "");
    document.dispatchEvent(new Event("outdated"));
  },
});

// Enter in a field does what the button does.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-wallet]")) return;
  event.preventDefault();
  event.target.querySelector("button[data-do]:not([hidden])")?.click();
});
reveal();
