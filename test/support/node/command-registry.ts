// A registry for a command of the test's own process, and what the command's environment says of it.
import { inject, onTestFinished } from "vitest";
import { Connections, LoadClient, loadApp } from "../../../scripts/lib/load.ts";
import { serve } from "../../../scripts/lib/workerd.ts";

/** Until the end of the test. `sender`: the module of a Worker that is bound for test pushes. */
export async function startCommandRegistry(sender?: string) {
  const app = loadApp();
  const options = { bundle: inject("bundle"), bindings: app.bindings };
  const server = await serve(sender === undefined ? options : { ...options, sender });
  const connections = new Connections(server.port);
  onTestFinished(async () => {
    connections.close();
    await server.stop();
  });
  const env = { REGISTRY_URL: server.url, REGISTRY_APP_ID: app.appId, REGISTRY_API_KEY: app.keys.fullAccess };
  return { client: new LoadClient(app, connections), env };
}
