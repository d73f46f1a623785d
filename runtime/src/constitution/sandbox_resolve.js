// For development: whatever is proposed is accepted.
export function resolve(proposal, proposerId, votes, proposalId) {
  return "Accepted";
}
