// What each field of the API is, by its name. They stand here and not beside the schemas: the Worker's bundle needs none of it.

/** Fields of the description `Epoch milliseconds.` say more by this. */
const TIME = "Epoch milliseconds.";

const TOKENS = {
  token: "The push token.",
  kind: "Which of the three: `fcm`, `apns`, or `voip` (APNs for calls).",
  fcmToken: "What Firebase Cloud Messaging gave the app: a registration token, or a Firebase Installation ID.",
  apnsToken: "What `didRegisterForRemoteNotificationsWithDeviceToken` gave the app.",
  voipToken: "What PushKit gave the app for calls.",
  deviceToken: "What `didRegisterForRemoteNotificationsWithDeviceToken` gave the app: an APNs token.",
  pushToken: "The push token.",
  platform: "The platform of the device. If an app does not say it, it follows from its SDK and its browser.",
  providerId: "Which FCM or APNs provider of the sender the token is for.",
  timezone: "The device's time zone, as the app says it: `Europe/Berlin`.",
  registeredAt: "When this token came.",
  refreshedAt: "When the device was last seen; written at most once a week.",
  pushTokens: "One entry per push token.",
  ios: "Tokens of iOS, those for calls too.",
  web: "Tokens of web pages.",
  android: "Tokens of Android.",
};

const DEVICES = {
  device: "What the app said of the device.",
  "device.id": "The app's own id of the device.",
  "device.name": "What the user calls the device.",
  "device.environment": "Which of APNs' two hosts takes the token.",
  "device.bundleId": "The APNs topic.",
  model: "The device's model: `Pixel 10`.",
  os: "The device's system and its version.",
  appVersion: "The version of the app.",
  locale: "The language of the device: `de-DE`.",
  devices: "The user's devices.",
  "devices.id": "The session's id.",
  "devices.name": "What the app called the device: its name, else its model.",
  "sessions.id": "The session's id.",
  session: "The session's id.",
  sessionId: "The session that holds the token.",
  sessions: "One entry per session that holds a token.",
  kinds: "Kinds of the tokens that the session holds.",
  platforms: "Platforms of the tokens that the session holds.",
  firstSeenAt: "When the session first registered a token that it still holds.",
  lastSeenAt: "When the session was last seen.",
  muted: "Whether the user wants no pushes on the device.",
  suspect: "Whether a provider reported trouble since the last registration.",
};

const USERS = {
  uid: "The user's id.",
  uids: "Ids of users.",
  users: "One entry per user.",
  name: "The user's name: the uid, for the registry knows no other.",
  authToken: "The auth token: one login of a user on one device.",
  lifetimeSeconds: "How long the auth token lives, in seconds. At most the app's maximum; its default if absent.",
  force: "What SDKs send; ignored.",
  "mintAuthToken:createdAt": "When it was minted, in epoch seconds.",
  unregisterTicket: "Removes exactly this registration later, without an auth token: `POST /v2/tokens/unregister`.",
  all: "Whether the tokens of all of the user's sessions are meant; `false` if absent.",
  includeMuted: "Also devices that their user muted.",
  authTokensFlushed: "Whether CometChat accepts none of the auth tokens that it gave the user until now.",
  "eraseUser:uid": "The uid again. Needed only where it is the name of a call.",
  validFrom: "Auth tokens from before are dead; 0 if there is no such moment.",
  registrations: "What the user holds, a row each.",
  "countAll:users": "Users who hold a registration.",
  "countAll:registrations": "Registrations, muted ones too.",
  "countAll:muted": "Muted registrations.",
  byKind: "Registrations by the kind of their token.",
  byPlatform: "Registrations by platform.",
  fences: "Sessions that have ended and can never register again.",
  "fences.until": "Until when the fence stands.",
  "muted.until": "Until when it is remembered that the session is muted.",
  "takeovers.until": "When the hour ends.",
  "takeovers.count": "How many.",
  changes: "The record of the last 50 changes, oldest first.",
  "changes.at": "When it happened.",
  "evidence.at": "When it happened.",
  "changes.session": "The session to which it happened.",
  "evidence.session": "The session to which it happened.",
  owners: "Who is the owner of each token on record.",
  "findOwner:owners": "Who holds the token; empty if nobody does.",
  tokenHash: "Hash of the installation that the token stands for.",
  user: "Hash of the owner.",
  version: "Of the owner's claim.",
  shownAt: "Up to when senders were told that the device was seen.",
  shownSince: "Since when the directory has this state.",
  format: "In which format the directory holds it.",
  verdict: "Why, in one word and in a sentence.",
  "verdict.code": "The verdict.",
  sentence: "The verdict in a sentence.",
};

const SETTINGS = {
  settings: "The settings of an SDK.",
  REGION: "The region that the SDK builds host names with.",
  EXTENSION_DOMAIN: "The domain of the hosts of extensions: this server's.",
  CHAT_API_VERSION: "The version that the SDK puts into paths.",
  CLIENT_API_HOST: "The host of the SDK's further calls: this server.",
  ADMIN_API_HOST: "The host of the SDK's `login(uid, authKey)`: this server.",
  wsChannel: "Empty: this server has no chat.",
  appId: "The app's id.",
  region: "The region of the SDKs of this app.",
  identity: "How the app's users are known: auth tokens minted here, the app's own JWTs, or CometChat's auth tokens.",
  policy: "Whether an installation has one user (`exclusive`) or many (`shared`).",
  uidCase: "Whether `Alice` and `alice` are two users (`sensitive`) or one.",
  fcmInstallations: "Whether a Firebase Installation ID and its legacy tokens are one installation.",
  refreshWindowDays: "How often, at most, a launch that brings nothing new is written down.",
  retentionDays: "After how many days without a launch a registration expires.",
  publicHost: "The host that SDKs are sent to.",
  allowedOrigins: "Origins of web pages that may call; any if absent.",
  jurisdiction: "Where the data is kept.",
  "getApp:locationHint":
    "Where the objects are made that the app's users share, and those of users whom a back end calls first.",
  takeovers: "The limit of installations that a user may take from other users.",
  perUserAndHour: "Per user and hour.",
  rateLimits: "Classes of rate limits, by what they count.",
  directory: "The setting of the directory.",
  complete: "Whether no row means that a user holds nothing.",
  "directory.objects": "How many objects the directory has.",
  "directory.epoch": "Which making of the directory this is.",
  "forgetEpoch:epoch": "The epoch that is over.",
  "forgetEpoch:objects": "How many objects the directory had in it.",
  key: "The API key of this call.",
  "key.name": "Its name, as the log has it.",
  scope: "What the key may do: `fullAccess`, `sender` or `authOnly`.",
};

const REPLIES = {
  data: "What was asked for.",
  success: "It is done.",
  refused: "Fields of the body that were not used, and why; the rest was done. Absent if there are none.",
  error: "Why the call was refused.",
  "error.code": "For programs: one of a fixed set of codes.",
  message: "For people: what is wrong, and what to do.",
  errors: "Users who could not be served, each with the reason.",
  "errors.code": "For programs: why.",
  removed: "How many registrations were removed.",
  ended: "Whether all of the user's sessions have ended, or those that are known.",
  items: "In a call: up to 500. In its reply: an answer to each, in the same order.",
  outcome: "What became of the item.",
  why: "The reason, in words.",
  status: "Well.",
  ms: "How long it took, in milliseconds.",
  kept: "How many registrations are left.",
  dropped: "How many registrations went, because another user owns their token by now.",
  restoredTo: "The moment to which the user was restored.",
  cursor: "Where to go on: send it with the next call. Absent at the end.",
  "rebuildDirectory:users": "How many users gave the directory their state.",
  done: "How many objects have been walked.",
  of: "How many objects there are to walk.",
};

const BODIES = {
  "reportFeedback:code": "The provider's word, or its library's.",
  "reportFeedback:error": "The provider's whole error object, in place of `code`.",
  "reportFeedback:at": "When the provider says the token was dead (APNs: `timestamp`), in epoch milliseconds.",
  "reportFeedback:sentAt": "When the push was sent, in epoch milliseconds.",
  "reportFeedback:environment": "Which of APNs' hosts answered.",
  "importPushTokens:registeredAt": "When the token came, in epoch milliseconds.",
  "importPushTokens:refreshedAt": "When the device was last seen, in epoch milliseconds.",
  "importPushTokens:suspectAt": "Since when a provider reports trouble, in epoch milliseconds.",
  "importPushTokens:session": "The session's id, if the device's first launch here will have the same.",
  locationHint: "Where the object of a user is made whom nobody has called before: one of Cloudflare's location hints.",
  report: "Whether what the providers answer is fed back, which may prune. `false` if absent.",
  "restoreUser:at": "The moment to go back to, in epoch milliseconds, in the last 30 days.",
};

const SUCCESSOR = {
  pushTokenType: "CometChat's word for it.",
  createdAt: "When this token came, as ISO 8601.",
  updatedAt: "When the device was last seen, as ISO 8601.",
};

const FIELDS: Readonly<Record<string, string>> = {
  ...TOKENS,
  ...DEVICES,
  ...USERS,
  ...SETTINGS,
  ...REPLIES,
  ...BODIES,
  ...SUCCESSOR,
};

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
}

/**
 * Describes the fields of a schema, at any depth, where they do not describe themselves. `call:field` says what a field is in one
 * call, `outer.field` what it is in objects of that name.
 */
export function describeFields<S extends object>(schema: S, call: string, outer = ""): S {
  const { properties = {}, items, additionalProperties, anyOf = [] } = schema as Schema;
  for (const [name, field] of Object.entries(properties)) {
    if (field.description === undefined || field.description === TIME) {
      const said = FIELDS[`${call}:${name}`] ?? FIELDS[`${outer}.${name}`] ?? FIELDS[name];
      const description = [said, field.description].filter((text) => text !== undefined).join(" ");
      if (description !== "") field.description = description;
    }
    describeFields(field, call, name);
  }
  for (const part of [items, additionalProperties, ...anyOf]) {
    if (typeof part === "object") describeFields(part, call, outer);
  }
  return schema;
}
