// The global object through which handlers reach the ledger.
import type { CCF } from "@microsoft/ccf-app/global.js";

declare global {
  var ccf: CCF;
}
