// One piece of work for all requests of this isolate that want the same at the same time.
//
// The trap on workerd: I/O belongs to the request that began it and ends with it, so the promise of another request may never
// settle. Therefore the work of the first one is kept alive by `waitUntil`, also if its own client hangs up; and should it
// die all the same, those who wait for it stop in time and begin anew.
import { waitUntil } from "cloudflare:workers";
import { TimeoutError, withTimeout } from "../durable/timeout.ts";

interface Flight<T> {
  /** After this it has ended, one way or another; epoch ms. */
  endsAt: number;
  landing: Promise<T>;
}

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #endsAfterMs: number;

  /** `endsAfterMs`: how long the work can take, its own time limits included. */
  constructor(endsAfterMs: number) {
    this.#endsAfterMs = endsAfterMs;
  }

  /** Settles as `work` does: this one, or the one that another request runs under `name` now. */
  async run(name: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const flight = this.#flights.get(name);
      if (flight === undefined || Date.now() >= flight.endsAt) return this.#lead(name, work);
      try {
        return await withTimeout(flight.landing, flight.endsAt - Date.now());
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
    }
  }

  #lead(name: string, work: () => Promise<T>): Promise<T> {
    const flight: Flight<T> = { endsAt: Date.now() + this.#endsAfterMs, landing: work() };
    this.#flights.set(name, flight);
    const landed = () => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name);
    };
    waitUntil(flight.landing.then(landed, landed));
    return flight.landing;
  }
}
