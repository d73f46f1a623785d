import { nothing } from "./absent.js";

export function f() {
  return { body: nothing };
}
