// A constitution that accepts no proposal: for services whose host decides what governance would.
export function validate(input) {
  return { valid: false, description: "This service is not governed by proposals" };
}

export function resolve(proposal, proposerId, votes, proposalId) {
  return "Rejected";
}

export function apply(proposal, proposalId) {
  throw new Error("This service is not governed by proposals");
}
