import type { Request } from "@microsoft/ccf-app";

/** What Affiant adds to a request: the body, parsed where it is JSON. */
export interface DataRequest extends Request {
  data?: unknown;
}

export function handleRequest(request: DataRequest): {
  statusCode: number;
  body: { result: unknown; signature: string; attestation: unknown };
};

export function processTransaction(
  request: Request,
): { success: true; proof: unknown } | { success: false; error: string };
