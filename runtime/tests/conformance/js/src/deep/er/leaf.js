import sibling from "../sibling.js";
import { root } from "../../root.js";

export const named = `${root} ${sibling} leaf`;
