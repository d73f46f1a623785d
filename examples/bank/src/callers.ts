// Who calls, and what they may: the service knows a user by certificate and keeps data about them,
// which its members set (here: users.json, given to the sandbox).
import type { Request } from "@microsoft/ccf-app";
import { Refusal } from "./refusals.js";

export type Caller = { role: "teller" } | { role: "customer"; name: string };

export function callerOf(request: Request): Caller {
  const caller = request.caller;
  const data = caller !== undefined && caller !== null && "data" in caller ? caller.data : null;
  if (data?.role === "teller") {
    return { role: "teller" };
  }
  if (data?.role === "customer" && typeof data.name === "string") {
    return { role: "customer", name: data.name };
  }
  throw new Refusal(403, "AuthorizationFailed", "The bank does not know you: your user data has no role.");
}

export function requireTeller(request: Request): void {
  if (callerOf(request).role !== "teller") {
    throw new Refusal(403, "AuthorizationFailed", "Only a teller may do this.");
  }
}
