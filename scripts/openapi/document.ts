import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TOKEN_LENGTH_MAX } from "../../src/limits.ts";
import { PROJECT } from "../lib/workerd.ts";
import { describeFields } from "./fields.ts";
import { toJsonSchema } from "./json-schema.ts";
import { type ApiOperation, OPERATIONS } from "./operations.ts";

export interface OpenApiOperation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: object[];
  requestBody?: { required: boolean; content: Record<string, { schema: object; example: unknown }> };
  responses: Record<string, object>;
}

export interface OpenApiDocument {
  openapi: "3.1.1";
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } };
  servers: { url: string; description: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: object;
}

const TAGS = {
  client: { name: "Apps", description: "What SDK clients call, with an auth token." },
  anybody: { name: "Open", description: "What needs no header at all." },
  sender: {
    name: "Senders",
    description: "What whoever sends pushes asks and reports, with an API key of the scope `sender` or `fullAccess`.",
  },
  backEnd: { name: "Back ends", description: "What a back end does to its users, with an API key that may." },
};

const REFUSALS: Record<number, string> = {
  400: "`ERR_BAD_REQUEST`: the body or the path is wrong; `details` says which field.",
  401: "A missing or wrong app, key or auth token. `AUTH_ERR_AUTH_TOKEN_NOT_FOUND`: the auth token is dead, log in again.",
  403: "`AUTH_ERR_NO_ACCESS`: the API key's scope, or the page's origin.",
  404: "`ERR_UID_NOT_FOUND`: nothing is held about this user. `ERR_API_NOT_FOUND`: this user has no such device.",
  413: "`ERR_BAD_REQUEST`: the body is too large, or would be when inflated.",
  415: "`ERR_BAD_REQUEST`: this content encoding is not read; `gzip` and `deflate` are.",
  429: "`ERR_TOO_MANY_REQUESTS`: wait as long as `Retry-After` says.",
  500: "`ERR_OPERATION_FAILED`: our mistake.",
  503: "`ERR_OPERATION_FAILED`: repeat it after `Retry-After`.",
};

const ERROR = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "details"],
      properties: {
        code: { type: "string" },
        message: { type: "string" },
        details: {
          type: "object",
          description: "Field of the request → what is wrong with it.",
          additionalProperties: { type: "array", items: { type: "string" } },
        },
      },
    },
  },
};

/** The whole API as an OpenAPI 3.1 document. */
export function toDocument(): OpenApiDocument {
  const { version } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  const paths: OpenApiDocument["paths"] = {};
  for (const operation of OPERATIONS) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: toOperation(operation) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Push Token Registry",
      version,
      description:
        "Knows, at every moment, which devices may be pushed for a user. Success is always status 200 with `data`; a refusal has " +
        "`error`. The prefix `/v3.0` is the same as `/v3`. Slashes that are doubled, or at the end of a path, are ignored; a " +
        "DELETE of a named user, session, device or token with such a slash is refused.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "This deployment." }],
    tags: Object.values(TAGS),
    paths,
    components: {
      securitySchemes: {
        appId: { type: "apiKey", in: "header", name: "appId", description: "Which app." },
        authToken: {
          type: "apiKey",
          in: "header",
          name: "authToken",
          description: "One login of a user on one device.",
        },
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "The auth token, read only where `authToken` is absent.",
        },
        apikey: { type: "apiKey", in: "header", name: "apikey", description: "Of a back end; never in an app." },
      },
      schemas: {
        Error: describeFields(ERROR, "error"),
      },
    },
  };
}

function toOperation(operation: ApiOperation): OpenApiOperation {
  const { caller } = operation;
  const isServer = typeof caller !== "string";
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const described: OpenApiOperation = {
    operationId: operation.id,
    summary: operation.summary,
    description: isServer ? `${operation.description} Scope: ${caller.join(" or ")}.` : operation.description,
    tags: [TAGS[audienceOf(operation)].name],
    security: securityOf(operation),
    responses: {
      "200": {
        description: "Success.",
        content: {
          "application/json": {
            schema: describeFields(
              { type: "object", required: ["data"], properties: { data: toJsonSchema(operation.data, "output") } },
              operation.id,
            ),
            example: { data: operation.example },
          },
        },
      },
      ...(operation.id === "listUserTokens" ? { "304": { description: "Not changed since the `ETag` sent." } } : {}),
      ...Object.fromEntries(
        [...new Set([...operation.refusals, ...(caller === "anybody" ? [] : [401]), 429, 500, 503])]
          .sort()
          .map((status) => [status, refusal(status)]),
      ),
    },
  };
  const query = Object.entries(operation.query ?? {}).map(([name, of]) => ({
    name,
    in: "query",
    required: false,
    ...of,
  }));
  const parameters = [...names.map(toParameter), ...query];
  if (parameters.length > 0) described.parameters = parameters;
  if (operation.body !== undefined) {
    described.requestBody =
      "text" in operation.body
        ? {
            required: true,
            content: { "text/plain": { schema: { type: "string" }, example: operation.body.example } },
          }
        : {
            required: false,
            content: {
              "application/json": {
                schema: describeFields(toJsonSchema(operation.body.schema, "input"), operation.id),
                example: operation.body.example,
              },
            },
          };
  }
  return described;
}

function audienceOf({ caller }: ApiOperation): keyof typeof TAGS {
  if (typeof caller === "string") return caller;
  return caller.includes("sender") ? "sender" : "backEnd";
}

function securityOf({ caller, orBackEnd }: ApiOperation): Record<string, string[]>[] {
  if (caller === "anybody") return [];
  if (caller === "client")
    return [
      { appId: [], authToken: [] },
      { appId: [], bearer: [] },
      // Its auth token may stand in the body.
      ...(orBackEnd === true ? [{ appId: [], apikey: [] }] : []),
    ];
  return [{ appId: [], apikey: [] }];
}

const PARAMETERS: Record<string, { description: string; example: string; schema?: object }> = {
  uid: {
    description:
      "The user's id, percent-encoded. With identity `cometchat`, any case of CometChat's uid: it is the same user.",
    example: "alice",
  },
  sid: { description: "The session's id, as listed.", example: "0e10ac93-eace-4e22-ba2e-2efa5ed66469" },
  pushToken: {
    description: "The push token, percent-encoded.",
    example: "fcm-registration-token",
    schema: { type: "string", minLength: 1, maxLength: TOKEN_LENGTH_MAX },
  },
};

function toParameter(name: string): object {
  return {
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: 255 },
    ...PARAMETERS[name],
  };
}

function refusal(status: number): object {
  return {
    description: REFUSALS[status],
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}
