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

// Looks, whenever there is news, until something is found, or its time is over. A look that fails
// is one that found nothing: what was sent is sent, and must not be taken for refused.
async function until(look) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await news()) {
    const found = await look().catch(() => null);
    if (found) return found;
  }
  return null;
}

async function confirmed({ id }) {
  const operation = await until(async () => {
    const found = await call("GET", `/api/operations/${id}`);
    return ["failed", "confirmed"].includes(found.state) && found;
  });
  if (!operation) {
    throw new Error("It is signed and handed in, and not on chain yet. It shows under Runs as soon as it is: do not sign it again");
  }
  if (operation.state === "failed") throw new Error([operation.error, operation.hint].filter(Boolean).join(". "));
  return operation;
}

// Wallets tell of a mined transaction only when they are asked: so this asks them, once a second.
async function mined(hash) {
  const wallet = await provider();
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const looked = wallet.request({ method: "eth_getTransactionReceipt", params: [hash] });
    const receipt = await looked.catch(() => null); // looked for again
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
    const payer = await accountOf(mine);
    const query = new URLSearchParams({ payer, tokens: filled.elements.tokens.value });
    const asked = await call("GET", `/api/runs/${run}/funding?${query}`);
    const fundedWei = async () => BigInt((await call("GET", `/api/runs/${run}`)).funded_wei);
    const beforeWei = await fundedWei();
    const chainId = "0x" + Number(asked.chain_id).toString(16);
    let done = "nothing was sent";
    for (const { to, data, what } of asked.transactions) {
      say(button, `Waiting for the wallet: ${what} …`);
      await onChain(asked.chain_id); // it may have been changed while the first one was mined
      const hash = await (await provider())
        .request({ method: "eth_sendTransaction", params: [{ from: payer, to, data, chainId }] })
        .catch((error) => Promise.reject(new Error(`${refusal(error)} (${done})`)));
      say(button, `Waiting for a block: ${what} …`);
      await mined(hash);
      done = "the pool may take the amount, and has not: fund again to go on";
    }
    // Nothing is left to be kept: the page may show the payment whenever it is final.
    filled.reset();
    delete filled.dataset.touched;
    document.activeElement.blur();
    say(button, "Paid. Waiting for the marketplace to read it from the chain …");
    const shown = await until(async () => (await fundedWei()) > beforeWei);
    say(button, shown ? "" : "Paid. It shows here as soon as it is final on chain: do not pay it again");
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
