// The language: all texts are in texts/en.js, and in the same order in the other languages' files.

import en from "./texts/en.js";
import zh from "./texts/zh.js";

export const LANGUAGES = { en: "English", zh: "中文" };
const TEXTS = { en, zh };
const KEY = "trainingjob.language";

const wanted =
  localStorage.getItem(KEY) ?? navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in TEXTS);
let current = wanted in TEXTS ? wanted : "en";
document.documentElement.lang = current;

export const language = () => current;

export function setLanguage(tag) {
  current = tag;
  localStorage.setItem(KEY, tag);
  document.documentElement.lang = tag;
}

/** The text of a key, with {name} replaced; with a number n the form that the language has for it (key.one, key.other). */
export function t(key, values = {}) {
  const form = values.n === undefined ? key : `${key}.${new Intl.PluralRules(current).select(values.n)}`;
  const text = find(form) ?? find(`${key}.other`) ?? find(key) ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

const find = (key) => TEXTS[current][key] ?? TEXTS.en[key];

/** Whether there is a text: words of the cluster that are not known are shown as they are. */
export const knows = (key) => find(key) !== undefined;
