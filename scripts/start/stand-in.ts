// CometChat for those who have no account there: the fake of the tests, which answers as CometChat's client API was seen to.
import { FakeCometChat } from "../../test/support/fake-cometchat.ts";
import { type FetchServer, serveFetch } from "../../test/support/node/fetch-server.ts";
import { DEMO_APP } from "../demo.ts";

export class StandIn {
  readonly #cometchat: FakeCometChat;
  readonly #server: FetchServer;

  private constructor(cometchat: FakeCometChat, server: FetchServer) {
    this.#cometchat = cometchat;
    this.#server = server;
  }

  static async start(): Promise<StandIn> {
    const cometchat = new FakeCometChat({ apps: { [DEMO_APP.appId]: DEMO_APP.region } });
    const server = await serveFetch(async (request) => {
      const { hostname } = new URL(request.url);
      if (cometchat.serves(hostname)) return await cometchat.fetch(request);
      return new Response(`the stand-in is not ${hostname}`, { status: 502 });
    });
    return new StandIn(cometchat, server);
  }

  /** `host:port`, for all that the Worker fetches. */
  get address(): string {
    return this.#server.address;
  }

  /** An auth token of CometChat's. */
  logIn(uid: string): string {
    return this.#cometchat.issue(DEMO_APP.appId, uid);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}
