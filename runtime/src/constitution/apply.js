// Brings an accepted proposal about, action by action; if one fails, none has happened.
export function apply(proposal, proposalId) {
  JSON.parse(proposal).actions.forEach((proposed, position) => {
    try {
      actions.get(proposed.name).apply(proposed.args, proposalId);
    } catch (error) {
      const where = `action ${position} (${proposed.name})`;
      if (!(error instanceof Error)) throw new Error(`${where}: ${error}`);
      error.message = `${where}: ${error.message}`;
      throw error;
    }
  });
}
