declare module "autocannon" {
  interface Result {
    duration: number;
    errors: number;
    non2xx: number;
    statusCodeStats: Record<string, { count: number }>;
    requests: { total: number };
    latency: { average: number; p50: number; p99: number };
  }
  interface Run extends Promise<Result> {
    /** Milliseconds, in fractions: those of the result are whole. */
    on(
      event: "response",
      listener: (client: object, status: number, bytes: number, milliseconds: number) => void,
    ): void;
  }
  export default function autocannon(options: object): Run;
}
