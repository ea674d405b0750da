declare module "autocannon" {
  interface Result {
    duration: number;
    errors: number;
    non2xx: number;
    statusCodeStats: Record<string, { count: number }>;
    requests: { total: number };
    latency: { average: number; p50: number; p99: number };
  }
  export default function autocannon(options: object): Promise<Result>;
}
