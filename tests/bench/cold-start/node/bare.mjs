// Nothing: what Node and the loop take by themselves.
export const handler = async () => ({ status: "ok" });
