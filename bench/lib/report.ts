export async function writeReport(_path: string, _report: object): Promise<void> {}
