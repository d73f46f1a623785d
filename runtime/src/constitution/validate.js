// Judges a proposal when it is made: every action must exist and take its arguments.
export function validate(input) {
  let listed;
  try {
    listed = JSON.parse(input).actions;
  } catch (error) {
    return { valid: false, description: `the proposal is no JSON object: ${error.message}` };
  }
  if (!Array.isArray(listed) || listed.length === 0) {
    return { valid: false, description: "the proposal lists no actions" };
  }
  const faults = [];
  listed.forEach((proposed, position) => {
    const name = proposed?.name;
    const action = actions.get(name);
    try {
      if (action === undefined) throw new Error("there is no such action");
      action.validate(proposed.args);
    } catch (error) {
      faults.push(`action ${position} (${name}): ${error?.message ?? error}`);
    }
  });
  return { valid: faults.length === 0, description: faults.join("\n") };
}
