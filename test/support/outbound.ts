// Where the Worker's own fetches go in tests: by host name, to a fake in the process that runs the tests. Nothing leaves the
// machine. Tests inside workerd steer a fake over HTTP, at its control host.
import { COMETCHAT_REGIONS } from "./apps.ts";
import { FakeCometChat } from "./fake-cometchat.ts";

/** Where the fake CometChat is told what to do (test/support/cometchat.ts). */
export const COMETCHAT_CONTROL_HOST = "control.fake-cometchat.test";

/** The outbound service of the Worker under test. */
export function createOutbound(): (request: Request) => Promise<Response> {
  const cometchat = new FakeCometChat({ apps: COMETCHAT_REGIONS });
  return async (request) => {
    const { hostname } = new URL(request.url);
    if (hostname === COMETCHAT_CONTROL_HOST) return cometchat.control(request);
    if (cometchat.serves(hostname)) return cometchat.fetch(request);
    return new Response(`there is no host ${hostname} in the tests`, { status: 502 });
  };
}
