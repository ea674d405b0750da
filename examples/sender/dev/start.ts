// `npm start`: the sender beside a local registry, with fakes of FCM and APNs. Nothing leaves this machine.
// The defaults are those of the registry's own `npm start`, which listens on 8787 and 8788.
import { httpRegistry } from "../src/http-registry.ts";
import { startFakeProviders } from "./fake-providers.ts";
import { serveSender } from "./serve.ts";

const {
  PORT = "8790",
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
).catch((error: NodeJS.ErrnoException): never => {
  if (error.code === "EADDRINUSE") {
    console.error(`Port ${PORT} is already in use: choose another with PORT in the environment.`);
    process.exit(1);
  }
  throw error;
});
console.log(`The sender is at ${sender.url}, with fakes of FCM and APNs. It asks the registry at ${REGISTRY_URL}.

curl -u ${WEBHOOK_USER}:${WEBHOOK_PASSWORD} ${sender.url}/send \\
  -d '{"uids": ["alice"], "push": {"title": "Hello", "body": "It works."}}'
`);
