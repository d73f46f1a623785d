throw new RangeError("while evaluated");

export function f() {
  return {};
}
