// The registry's calls for back ends: made by `npm run openapi` from its OpenAPI document. Do not edit.

/** By method and path: what goes into a call, and the `data` of its success. */
export interface Calls {
  /** What an SDK's registerPushToken asks */
  "POST /v3/notifications/push/v1/tokens": {
    body: { platform: "fcm_android" | "fcm_ios" | "fcm_web" | "fcm_flutter_android" | "fcm_flutter_ios" | "fcm_react_native_android" | "fcm_react_native_ios" | "fcm_ionic_cordova_android" | "fcm_ionic_cordova_ios" | "apns_ios_device" | "apns_flutter_device" | "apns_react_native_device" | "apns_ionic_cordova_device" | "apns_ios_voip" | "apns_flutter_voip" | "apns_react_native_voip" | "apns_ionic_cordova_voip"; fcmToken?: string | null; deviceToken?: string | null; voipToken?: string | null; providerId?: string | null; timezone?: string | null; device?: { id?: string | null; name?: string | null; model?: string | null; os?: string | null; appVersion?: string | null; locale?: string | null; environment?: "production" | "sandbox" | null; bundleId?: string | null } | null; authToken?: string | null };
    data: { success: true; refused?: Record<string, "invalid" | "too_many_takeovers"> };
  };
  /** List the session's push tokens, or all of the user's */
  "GET /v3/notifications/push/v1/tokens": {
    data: { pushTokens: Array<{ authToken: string | null; pushTokenType: "chat"; createdAt: string; platform: "fcm_android" | "fcm_ios" | "fcm_web" | "fcm_flutter_android" | "fcm_flutter_ios" | "fcm_react_native_android" | "fcm_react_native_ios" | "fcm_ionic_cordova_android" | "fcm_ionic_cordova_ios" | "apns_ios_device" | "apns_flutter_device" | "apns_react_native_device" | "apns_ionic_cordova_device" | "apns_ios_voip" | "apns_flutter_voip" | "apns_react_native_voip" | "apns_ionic_cordova_voip"; providerId: string | null; pushToken: string; uid: string; updatedAt: string }> };
  };
  /** What an SDK's unregisterPushToken asks */
  "DELETE /v3/notifications/push/v1/tokens": {
    body?: { authToken?: string | null; all?: boolean | null; pushToken?: string | null };
    data: { success: true } | { pushTokens: Array<{ authToken: string | null; pushTokenType: "chat"; createdAt: string; platform: "fcm_android" | "fcm_ios" | "fcm_web" | "fcm_flutter_android" | "fcm_flutter_ios" | "fcm_react_native_android" | "fcm_react_native_ios" | "fcm_ionic_cordova_android" | "fcm_ionic_cordova_ios" | "apns_ios_device" | "apns_flutter_device" | "apns_react_native_device" | "apns_ionic_cordova_device" | "apns_ios_voip" | "apns_flutter_voip" | "apns_react_native_voip" | "apns_ionic_cordova_voip"; providerId: string | null; pushToken: string; uid: string; updatedAt: string }> };
  };
  /** The same for one token that stands in the path */
  "DELETE /v3/notifications/push/v1/tokens/{pushToken}": {
    path: { pushToken: string };
    body?: { authToken?: string | null; all?: boolean | null; pushToken?: string | null };
    data: { success: true } | { pushTokens: Array<{ authToken: string | null; pushTokenType: "chat"; createdAt: string; platform: "fcm_android" | "fcm_ios" | "fcm_web" | "fcm_flutter_android" | "fcm_flutter_ios" | "fcm_react_native_android" | "fcm_react_native_ios" | "fcm_ionic_cordova_android" | "fcm_ionic_cordova_ios" | "apns_ios_device" | "apns_flutter_device" | "apns_react_native_device" | "apns_ionic_cordova_device" | "apns_ios_voip" | "apns_flutter_voip" | "apns_react_native_voip" | "apns_ionic_cordova_voip"; providerId: string | null; pushToken: string; uid: string; updatedAt: string }> };
  };
  /** What may be pushed for a user now */
  "GET /v3/users/{uid}/push_tokens": {
    path: { uid: string };
    query?: { includeMuted?: boolean };
    data: { uid: string; pushTokens: Array<{ token: string; kind: "fcm" | "apns" | "voip"; target?: "fid" | "token"; platform: "ios" | "web" | "android"; sessionId: string; registeredAt: number; refreshedAt: number; suspect: boolean; providerId?: string; timezone?: string; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string }; muted?: true }> };
  };
  /** The same for up to 1000 users in one request */
  "POST /v3/push_tokens/lookup": {
    body: { uids: Array<string>; includeMuted?: boolean | null };
    data: { users: Array<{ uid: string; pushTokens: Array<{ token: string; kind: "fcm" | "apns" | "voip"; target?: "fid" | "token"; platform: "ios" | "web" | "android"; sessionId: string; registeredAt: number; refreshedAt: number; suspect: boolean; providerId?: string; timezone?: string; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string }; muted?: true }> }>; errors: Array<{ uid: string; code: string; message: string }> };
  };
  /** What may be pushed for all users now, page by page */
  "GET /v3/push_tokens": {
    query?: { cursor?: string; limit?: number; platform?: "ios" | "web" | "android"; kind?: "fcm" | "apns" | "voip"; includeMuted?: boolean };
    data: { users: Array<{ uid: string; pushTokens: Array<{ token: string; kind: "fcm" | "apns" | "voip"; target?: "fid" | "token"; platform: "ios" | "web" | "android"; sessionId: string; registeredAt: number; refreshedAt: number; suspect: boolean; providerId?: string; timezone?: string; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string }; muted?: true }> }>; cursor?: string };
  };
  /** How many users and registrations there are */
  "GET /v3/push_tokens/counts": {
    query?: { cursor?: string };
    data: { users: number; registrations: number; muted: number; byKind: Record<string, number>; byPlatform: Record<string, number>; byAge: Record<string, number>; cursor?: string };
  };
  /** Report what FCM and APNs answered */
  "POST /v3/push_tokens/feedback": {
    body: { items: Array<{ token: string; kind: "fcm" | "apns" | "voip"; code?: string | Record<string, unknown> | null; error?: string | Record<string, unknown> | null; at?: number | null; sentAt?: number | null; environment?: "production" | "sandbox" | null; uid?: string | null }> };
    data: { items: Array<{ outcome: "pruned" | "kept" | "suspect" | "corrected" | "unknown" | "unavailable" | "unknown_code" | "invalid"; why: string }> };
  };
  /** Who holds a token now */
  "POST /v3/push_tokens/owner": {
    body: { token: string; kind?: "fcm" | "apns" | "voip" | null };
    data: { owners: Array<{ uid: string; kind: "fcm" | "apns" | "voip"; platform: "ios" | "web" | "android"; sessionId: string; registeredAt: number; refreshedAt: number; suspect: boolean }> };
  };
  /** The sessions of a user that hold a registration */
  "GET /v3/users/{uid}/sessions": {
    path: { uid: string };
    data: { sessions: Array<{ id: string; kinds: Array<"fcm" | "apns" | "voip">; platforms: Array<"ios" | "web" | "android">; firstSeenAt: number; lastSeenAt: number; muted: boolean; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string } }> };
  };
  /** End all sessions of a user */
  "DELETE /v3/users/{uid}/sessions": {
    path: { uid: string };
    body?: { authTokensFlushed?: boolean | null };
    data: { success: true; removed: number; ended: "all" | "known" };
  };
  /** The settings of the key's app, and what the key may do */
  "GET /v3/app": {
    data: { appId: string; region: string; identity: "issued" | "jwt" | "cometchat"; policy: "exclusive" | "shared"; uidCase: "sensitive" | "insensitive"; fcmInstallations: boolean; refreshWindowDays: number; retentionDays: number; publicHost?: string; allowedOrigins?: Array<string>; jurisdiction?: string; locationHint?: string; takeovers: { perUserAndHour: number }; rateLimits: Record<string, string>; directory: { objects: number; epoch: number; complete: boolean }; sender: boolean; key: { name: string; scope: string; apps?: Array<string> } };
  };
  /** Why this user does, or does not, get pushes */
  "GET /v3/users/{uid}/explain": {
    path: { uid: string };
    data: { uid: string; verdict: { code: "ok" | "all_suspect" | "muted" | "taken" | "pruned" | "expired" | "evicted" | "ended" | "logged_out" | "removed" | "nothing_known"; sentence: string }; next: string; evidence: Array<{ at: number; change: string; kind: "fcm" | "apns" | "voip"; platform: "ios" | "web" | "android"; session: string; token: string; code?: string }>; devices: Array<{ id: string; kinds: Array<"fcm" | "apns" | "voip">; platforms: Array<"ios" | "web" | "android">; firstSeenAt: number; lastSeenAt: number; muted: boolean; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string }; suspect: boolean }>; changes: Array<{ at: number; change: string; kind: "fcm" | "apns" | "voip"; platform: "ios" | "web" | "android"; session: string; token: string; code?: string }> };
  };
  /** Mint an auth token: one login of a user on one device */
  "POST /v3/users/{uid}/auth_tokens": {
    path: { uid: string };
    body?: { force?: boolean | null; lifetimeSeconds?: number | null; locationHint?: "wnam" | "enam" | "sam" | "weur" | "eeur" | "apac" | "apac-ne" | "apac-se" | "oc" | "afr" | "me" | null };
    data: { uid: string; authToken: string; createdAt: number };
  };
  /** Remove one registration */
  "POST /v3/users/{uid}/push_tokens/remove": {
    path: { uid: string };
    body: { token: string; kind: "fcm" | "apns" | "voip" };
    data: { success: true; removed: number };
  };
  /** Send a test push to a user's devices */
  "POST /v3/users/{uid}/test": {
    path: { uid: string };
    body?: { report?: boolean | null };
    data: { devices: Array<{ sessionId: string; kind: "fcm" | "apns" | "voip"; platform: "ios" | "web" | "android"; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string }; answer: "delivered" | "dead" | "doubtful" | "not_about_the_token" | "unknown_code" | "not_sent"; code?: string; outcome?: string; why?: string }> };
  };
  /** End a session */
  "DELETE /v3/users/{uid}/sessions/{sid}": {
    path: { uid: string; sid: string };
    data: { success: true; removed: number };
  };
  /** Bring up to 500 registrations from another system */
  "POST /v3/push_tokens/import": {
    body: { items: Array<{ uid: string; kind: "fcm" | "apns" | "voip"; token?: string | null; platform?: "ios" | "web" | "android" | null; registeredAt?: number | null; refreshedAt?: number | null; suspectAt?: number | null; muted?: boolean | null; session?: string | null; providerId?: string | null; timezone?: string | null; device?: { id?: string | null; name?: string | null; model?: string | null; os?: string | null; appVersion?: string | null; locale?: string | null; environment?: "production" | "sandbox" | null; bundleId?: string | null } | null }>; locationHint?: "wnam" | "enam" | "sam" | "weur" | "eeur" | "apac" | "apac-ne" | "apac-se" | "oc" | "afr" | "me" | null };
    data: { items: Array<{ outcome: "imported" | "already" | "held_here" | "newer_here" | "erased" | "ended" | "expired" | "full" | "unavailable" | "invalid"; why?: string }> };
  };
  /** Everything held about a user */
  "GET /v3/users/{uid}/export": {
    path: { uid: string };
    data: { uid: string; validFrom: number; registrations: Array<{ session: string; kind: "fcm" | "apns" | "voip"; token: string; hash: string; platform: "ios" | "web" | "android"; labels: { providerId?: string; timezone?: string; device?: { id?: string; name?: string; model?: string; os?: string; appVersion?: string; locale?: string; environment?: "production" | "sandbox"; bundleId?: string } }; version: number; claimed: boolean; registeredAt: number; refreshedAt: number; shownAt: number; suspectAt: number | null; muted: boolean; imported: boolean }>; fences: Array<{ session: string; until: number }>; muted: Array<{ session: string; until: number }>; takeovers: { count: number; until: number } | null; changes: Array<{ at: number; change: string; kind: "fcm" | "apns" | "voip"; platform: "ios" | "web" | "android"; session: string; token: string; code?: string }>; owners: Array<{ tokenHash: string; user: string; version: number }>; directory: { format: number; shownSince: number; pushTokens: unknown } | null };
  };
  /** Erase a user */
  "DELETE /v3/users/{uid}": {
    path: { uid: string };
    body?: { uid?: string | null };
    data: { success: true };
  };
  /** Restore a user from point-in-time recovery, and reconcile */
  "POST /v3/users/{uid}/restore": {
    path: { uid: string };
    body: { at: number };
    data: { restoredTo: number; kept: number; dropped: number };
  };
  /** Drop what other users own by now */
  "POST /v3/users/{uid}/reconcile": {
    path: { uid: string };
    data: { kept: number; dropped: number };
  };
  /** Whether both kinds of object can be written and read */
  "GET /health/deep": {
    data: { status: "ok"; ms: number };
  };
  /** Make the directory anew, a step at a time */
  "POST /v3/push_tokens/rebuild": {
    body?: { cursor?: string | null };
    data: { users: number; done?: number; of?: number; cursor?: string };
  };
  /** Delete what an earlier epoch of the directory holds */
  "POST /v3/push_tokens/forget_epoch": {
    body: { epoch: number; objects: number };
    data: { success: true };
  };
}
