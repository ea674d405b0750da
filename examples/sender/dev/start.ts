// `npm start`: the sender beside a local registry, with fakes of FCM and APNs. Nothing leaves this machine.
// The defaults are those of the registry's own `npm start`.
import { httpRegistry } from "../src/http-registry.ts";
import { startFakeProviders } from "./fake-providers.ts";
import { serveSender } from "./serve.ts";

const {
  PORT = "8788",
  REGISTRY_URL = "http://localhost:8787",
  REGISTRY_APP_ID = "demo",
  REGISTRY_API_KEY = "demo-sender-key",
  WEBHOOK_USER = "cometchat",
  WEBHOOK_PASSWORD = "local",
} = process.env;

const providers = await startFakeProviders({ unregisteredAt: Date.now() });
const sender = await serveSender(
  {
    ...(providers.config as unknown as Parameters<typeof serveSender>[0]),
    PUSH_TOKENS: httpRegistry({ url: REGISTRY_URL, appId: REGISTRY_APP_ID, apiKey: REGISTRY_API_KEY }),
    WEBHOOK_USER,
    WEBHOOK_PASSWORD,
  },
  Number(PORT),
);
console.log(`The sender is at ${sender.url}, with fakes of FCM and APNs. It asks the registry at ${REGISTRY_URL}.

curl -u ${WEBHOOK_USER}:${WEBHOOK_PASSWORD} ${sender.url}/send \\
  -d '{"uids": ["alice"], "push": {"title": "Hello", "body": "It works."}}'
`);
