export async function release() {}
export async function releaseDifferences() { return []; }
