// Every number of the product that is not an app's own setting, its unit in its name and its reason beside it.

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** CometChat's own limit for a push token's value (rest-api/notifications-apis/properties-and-constraints). */
export const TOKEN_LENGTH_MAX = 4096;
/** CometChat's own limit of active push tokens per user (same page). */
export const REGISTRATIONS_PER_USER_MAX = 100;
/**
 * All tokens of a user with their labels. 100 real ones have some 30 KiB; a lookup of many users must fit into the memory of an
 * isolate (128 MB).
 */
export const TOKEN_BYTES_PER_USER_MAX = 128 * 1024;
/** Names that a client sends along (providerId, timezone): they are kept with each registration. */
export const LABEL_LENGTH_MAX = 100;
/** uids stand in object names only as a hash; the limit keeps rows and logs small. */
export const UID_LENGTH_MAX = 255;
/** The longest body that a call of ours needs: three tokens of 4096 characters. */
export const BODY_BYTES_MAX = 16 * 1024;
/** Five times the longest JWT that an identity provider is known to make; longer ones are not parsed. */
export const AUTH_TOKEN_LENGTH_MAX = 8192;

/** The shortest life of an auth token: below, the clock tolerance is half of it. */
export const AUTH_TOKEN_SECONDS_MIN = 60;

/** Clocks of issuers, phones and edges differ: an auth token is accepted this long after its `exp`. */
export const CLOCK_TOLERANCE_MS = 30 * SECOND_MS;

/** The longest that a setting in days can mean: a phone is not used for longer. */
export const SETTING_DAYS_MAX = 3650;

/** HS256 secrets of an app's own login: the one in use, and those before it. */
export const JWT_SECRETS_MAX = 4;
/** Longer key ids are refused; real issuers use up to 90 characters. */
export const KID_LENGTH_MAX = 255;
/** The issuer's key set is asked for again after this long. jose's default. */
export const JWKS_FRESH_MS = 10 * MINUTE_MS;
/** While the issuer cannot be asked, the last key set serves for this long. */
export const JWKS_STALE_MS = DAY_MS;
/** A key that the set does not name, or an issuer that did not answer, leads to no more than one request in this time. */
export const JWKS_COOLDOWN_MS = 30 * SECOND_MS;
/** The same while no key set is known at all: nobody can log in, so the issuer is asked more often. */
export const JWKS_RETRY_MS = 5 * SECOND_MS;
/** How long the issuer may take. */
export const JWKS_TIMEOUT_MS = 5 * SECOND_MS;
/** How long a request waits for another's request to the issuer: a little more than that may take. */
export const JWKS_WAIT_MS = JWKS_TIMEOUT_MS + SECOND_MS;
/** A wrong configuration is logged once in this time, per isolate and mistake. */
export const MISCONFIGURED_EVERY_MS = MINUTE_MS;
/** Large issuers' key sets have 5 KB. */
export const JWKS_BYTES_MAX = 64 * 1024;

/** How long CometChat may take to say whose an auth token is. */
export const VERIFICATION_TIMEOUT_MS = 5 * SECOND_MS;
/** How long a request waits for another's question about the same auth token: a little more than that may take. */
export const VERIFICATION_WAIT_MS = VERIFICATION_TIMEOUT_MS + SECOND_MS;
/** How long an auth token that CometChat calls dead is not asked about again: it may be so new that not all of CometChat knows it. */
export const DEAD_CACHE_MS = 10 * SECOND_MS;
/** Auth tokens that an isolate knows the user of: 3 MB of its 128. */
export const VERIFIED_MAX = 10_000;
/** A user with metadata (5 KB at most) and the app's settings have less than a tenth of this. */
export const ME_BYTES_MAX = 1024 * 1024;
/** An error reply that is longer says nothing about an auth token. */
export const ERROR_BYTES_MAX = 64 * 1024;
/** How long CometChat may take to begin its reply to a proxied call. */
export const PROXY_TIMEOUT_MS = 30 * SECOND_MS;
/** The same where the call brings a body larger than our own calls need: a file of 100 MB at 1.4 Mbit/s. */
export const UPLOAD_TIMEOUT_MS = 10 * MINUTE_MS;
/** How long CometChat may take to answer the copy of a push token's change: two of them fit into the 30 s after a reply. */
export const COPY_TIMEOUT_MS = 12 * SECOND_MS;
/** How long a copy waits for the earlier ones of its session. */
export const COPY_WAIT_MS = COPY_TIMEOUT_MS + SECOND_MS;
/** How long the rest of a reply may take that is read here; what is passed on takes as long as it takes. */
export const REPLY_BODY_TIMEOUT_MS = 10 * SECOND_MS;
/** CometChat's auth tokens do not expire: a fence of one that may still be alive stands for as long as a phone is used. */
export const UNCONFIRMED_FENCE_MS = 10 * 365 * DAY_MS;

/**
 * A claim waits this long for the present owner's object before it fails, and a reconciliation for the object that keeps the marks.
 * Safety before availability.
 */
export const RELEASE_TIMEOUT_MS = 2 * SECOND_MS;
/** A registration waits this long for the owner object, which may serve other claims of the same token first. */
export const CLAIM_TIMEOUT_MS = 10 * SECOND_MS;
/** TokenOwners objects per app. Part of their names: it never changes. */
export const OWNER_SHARDS = 256;

/**
 * Directory objects per app, where the app says nothing. A lookup of many users calls them all, and a call costs more than the
 * rows it reads: 16 would take 1.4 times the CPU time, and twice the calls. 8 hold tens of millions of users.
 */
export const DIRECTORY_OBJECTS = 8;
/** What a directory object keeps of the rows that it read last, in characters: a few thousand users. All of them share 128 MB. */
export const RECENT_LINES_CHARS_MAX = 2 * 2 ** 20;
/** The most that an app may choose. */
export const DIRECTORY_OBJECTS_MAX = 256;
/** A user's object waits this long for the directory before it answers that a repeat is needed: less than a release may take. */
export const PUBLISH_TIMEOUT_MS = 1.5 * SECOND_MS;
/** How often a version is raised above the directory's in one publication. */
export const PUBLISH_ATTEMPTS = 3;
/**
 * How far ahead of the clock a user's first version is, and one that the directory refused: the floor of users who were emptied a
 * moment ago seldom refuses it.
 */
export const VERSION_AHEAD_MS = 10 * SECOND_MS;
/** The same after a restore: above every version that was given between its preparation and the restart. */
export const RESTORED_VERSION_AHEAD_MS = MINUTE_MS;
/** An object that has something to publish wakes within this time and the same again. */
export const NEAR_ALARM_MS = 10 * SECOND_MS;
/** An alarm that could not do its work is repeated after this, the double of it, and so on. */
export const ALARM_RETRY_MIN_MS = 30 * SECOND_MS;
export const ALARM_RETRY_MAX_MS = 15 * MINUTE_MS;
/** Users whom one call of the rebuild asks: with the call that names them, below the 50 calls of the free plan. */
export const REBUILD_USERS_MAX = 40;
/** The directory hears of a registration's refresh this often, or three times per retention. */
export const SHOWN_EVERY_MAX_MS = 90 * DAY_MS;

/** The record of changes of a user. */
export const CHANGES_MAX = 50;
export const CHANGES_KEPT_MS = 30 * DAY_MS;
/** How long a muted session that holds nothing stays muted: no longer than the record says what became of it. */
export const MUTED_KEPT_MS = CHANGES_KEPT_MS;
/** Such sessions of one user; beyond that, the one emptied longest ago is heard again. */
export const MUTED_KEPT_MAX = 100;
/** While a user holds registrations, what else has expired is collected this often: nothing that has expired is served. */
export const COLLECT_EVERY_MS = 90 * DAY_MS;
/** Fences of one user; beyond that `tokens_valid_from` rises instead. */
export const FENCES_MAX = 1000;
/**
 * The same limit for apps whose auth tokens carry no time that keeps ended sessions out. Beyond it, only sessions that already
 * hold something may register. About 1 MB of an object's 10 GB.
 */
export const UNDATED_FENCES_MAX = 10_000;
/**
 * Marks of what imports brought and what is gone, per user: twice what a user can hold. Beyond it the one that ends soonest goes:
 * an old file could bring that token back.
 */
export const IMPORT_FENCES_MAX = 2 * REGISTRATIONS_PER_USER_MAX;
/** New tokens of one user in one call of an import: with the directory's, below the 50 calls of the free plan. */
export const IMPORT_CLAIMS_MAX = 40;
/** An alarm that is this late is taken for lost, and set again by normal traffic. */
export const ALARM_LATE_MS = 5 * MINUTE_MS;

/** How long takeovers are counted, and how long the owner before a takeover is remembered. */
export const TAKEOVER_WINDOW_MS = HOUR_MS;
/** Takeovers that are known one by one, so that none counts twice: more than the usual limit, and 2 KiB at most. */
export const TAKEOVERS_REMEMBERED_MAX = 50;
/** More changes of owner of one token within the window are logged; a shared tablet has fewer. */
export const CHANGES_OF_OWNER_LOUD = 10;
/** Under policy `exclusive` a token has one owner before it is taken; more only after policy `shared`. */
export const FORMER_OWNERS_MAX = 10;
/** Owners that one claim makes let go: below the 50 calls that one request may make on the free plan. */
export const RELEASES_PER_CLAIM_MAX = 40;

/** A rate-limit binding does not say when its period ends; this is the longest that it can be. */
export const RATE_LIMIT_RETRY_AFTER_SECONDS = 60;

/** What a client is told to wait where a repeat helps (HTTP `Retry-After`). */
export const RETRY_AFTER_SECONDS = 2;
/** The same where the object is overloaded: the double at most, spread so that clients do not come back together. */
export const OVERLOAD_RETRY_AFTER_SECONDS = 10;
/** The Worker gives up on an object that is silent for this long: more than a claim may take. */
export const OBJECT_TIMEOUT_MS = CLAIM_TIMEOUT_MS + 2 * SECOND_MS;
/** The longest waits before the repeats of a call whose object was reset; each is a random part of it. */
export const REPEAT_DELAYS_MS: readonly number[] = [100, 400];
/** No repeat begins later than this after the first attempt. */
export const REPEAT_TOTAL_MS = 2 * SECOND_MS;

/** What an isolate remembers to have written within the hour, so as not to write it again: 100 KB. */
export const HOURLY_KEYS_MAX = 1000;

/** How far back Cloudflare's point-in-time recovery of an object reaches. */
export const RESTORABLE_MS = 30 * DAY_MS;

/** A restore that was begun and never reconciled is forgotten after this; its marks stay as long as they need. */
export const KEPT_MARKS_MS = 30 * DAY_MS;

/** Reports in one batch of feedback. */
export const BATCH_MAX = 500;
/** Users in one lookup, and on one page of all users. */
export const LOOKUP_USERS_MAX = 1000;
/** Users on one page of all users, where the caller does not say. */
export const USERS_PER_PAGE = 100;
/** Twice the longest word of a provider or of one of its libraries; more is a message, not a code. */
export const CODE_LENGTH_MAX = 100;
/** A batch of reports with the longest tokens, and room for the rest. */
export const BATCH_BODY_BYTES_MAX = 4 * 1024 * 1024;
/** A reply to a lookup, and a page of all users: an isolate has 128 MB for all of its requests, and builds the reply several times over. */
export const LOOKUP_BYTES_MAX = 8 * 1024 * 1024;
/** The most that a lookup's reply says of one user beside the uid and the tokens: an error's code and message. */
export const LOOKUP_USER_BYTES = 256;
/**
 * A lookup waits this long for a directory object: then its users' own objects are asked, and as long for them. Who is not answered
 * for is named in `errors`.
 */
export const LOOKUP_TIMEOUT_MS = 1.5 * SECOND_MS;
/**
 * Users' own objects that one lookup or page asks, in all: with the 8 calls of directory objects before them, and a few to spare,
 * these are the 50 subrequests of Cloudflare's free plan. (Who chose more directory objects has more users than that plan serves.)
 */
export const FALLBACK_CALLS_MAX = 40;
/** Calls of directory objects by one page. */
export const PAGE_CALLS_MAX = 8;
/** Calls of directory objects by one count. */
export const COUNT_CALLS_MAX = 16;
/** Users that a directory object counts in one go. 100,000 users are spread over 8 objects with some hundred more on one: two steps each. */
export const COUNT_STEP_USERS = 7000;
/** The ages by which registrations are counted, in days. FCM's own limit on Android is the last. */
export const AGE_DAYS = [30, 90, 180, 270] as const;
/** Calls of objects that one request has under way at once: a burst at many cold objects is paced. */
export const OBJECT_CONCURRENCY = 32;
/** The earliest time that can be meant in milliseconds (2001-09-09): a smaller number is in seconds, and a mistake. */
export const EPOCH_MS_MIN = 1_000_000_000_000;
/** A provider's clock may be ahead of ours, but not by more than this. */
export const REPORT_AHEAD_MS_MAX = 30 * DAY_MS;
