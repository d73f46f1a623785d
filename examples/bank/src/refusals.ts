// What callers did wrong is thrown as a Refusal and answered as such; anything else that is thrown is
// answered with 500. In both cases nothing of the transaction is written.
import type { Request, Response } from "@microsoft/ccf-app";

export class Refusal extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function answering(handler: (request: Request) => Response): (request: Request) => Response {
  return (request) => {
    try {
      return handler(request);
    } catch (error) {
      if (error instanceof Refusal) {
        const { statusCode, code, message } = error;
        return { statusCode, body: { error: { code, message } } };
      }
      throw error;
    }
  };
}
