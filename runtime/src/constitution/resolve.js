// Decides by the majority of the active members, as soon as there is one.
export function resolve(proposal, proposerId, votes, proposalId) {
  const active = new Set();
  ccf.kv["public:ccf.gov.members.info"].forEach((value, key) => {
    if (ccf.bufToJsonCompatible(value).status === "Active") active.add(ccf.bufToStr(key));
  });
  const yes = votes.filter((ballot) => ballot.vote && active.has(ballot.member_id)).length;
  return yes > Math.floor(active.size / 2) ? "Accepted" : "Open";
}
