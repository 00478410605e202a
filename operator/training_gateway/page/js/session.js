// Who one is: a bearer token in session storage, which goes with the tab.

const KEY = "trainingjob.token";
const changed = new EventTarget();
let state = sessionStorage.getItem(KEY) ? "given" : "none";

/** none: nobody has logged in. given: there is one. expired: the server takes it no more. */
export const tokenState = () => state;

export const token = () => sessionStorage.getItem(KEY) ?? "";

export function setToken(value) {
  sessionStorage.setItem(KEY, value);
  become("given");
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
  become("none");
}

/** The server has refused this token; if there is another one by now, that is not it. */
export function refuse(refused) {
  if (refused === token() && state === "given") become("expired");
}

export function onTokenChange(listener) {
  const listen = () => listener(state);
  changed.addEventListener("change", listen);
  return () => changed.removeEventListener("change", listen);
}

/** Settles when there is a token that nobody has refused yet; rejects when the signal says so. */
export function freshToken(signal) {
  if (state === "given") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const forget = onTokenChange((now) => {
      if (now !== "given") return;
      forget();
      resolve();
    });
    signal?.addEventListener("abort", () => {
      forget();
      reject(signal.reason);
    });
  });
}

function become(next) {
  state = next;
  changed.dispatchEvent(new Event("change"));
}
