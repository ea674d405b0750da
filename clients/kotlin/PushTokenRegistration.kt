// Keeps a device's push tokens registered: public/client.js in Kotlin, held to the same scenarios (clients/README.md).
// One file for Android (API level 21 and later), without a dependency: org.json is part of Android. Kotlin 1.3 or later.
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL
import java.util.UUID
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledThreadPoolExecutor
import java.util.concurrent.TimeUnit
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min
import kotlin.math.pow
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** What the device wants registered. What a later call leaves out stays as it was, until [PushTokenRegistration.logout]. */
data class Wanted(
    /** Each 1–4096 visible ASCII characters. */
    val fcmToken: String? = null,
    val apnsToken: String? = null,
    val voipToken: String? = null,
    /** Of [fcmToken]: "android", "ios" or "web". */
    val platform: String? = "android",
    val providerId: String? = null,
    val timezone: String? = null,
    /** id, name, model, os, appVersion, locale, environment, bundleId: at most 100 characters each; `null` clears one. */
    val device: Map<String, String?> = emptyMap()
)

/** What came of a call. No call throws. */
class RegistrationResult internal constructor(private val json: JSONObject) {
    val ok: Boolean get() = json.optBoolean("ok")

    /**
     * `null` if [ok]. `network`: no reply. `unavailable`: 429, 408 or 5xx. `unauthorized`: 401, nothing is sent again for this
     * auth token within the hour. `rejected`: any other refusal. `no_auth_token`, `logged_out`, `queued` (of logout: in the queue),
     * `failed`: a fault of the client; [message] has it.
     */
    val reason: String? get() = json.textOrNull("reason")

    /** The client repeats it by itself. */
    val retrying: Boolean get() = json.optBoolean("retrying")

    /** HTTP status of the reply; 0: there was none; `null`: nothing was sent. */
    val status: Int? get() = if (json.has("status")) json.optInt("status") else null
    val code: String? get() = json.textOrNull("code")
    val message: String? get() = json.textOrNull("message")

    /** Logouts of this device that the registry has not confirmed yet. */
    val pending: Int get() = json.optInt("pending")

    /** All of it: also `details` (what is wrong with which field) and `refused` (fields that could not be used, and why). */
    fun toJson(): JSONObject = JSONObject(json.toString())

    override fun toString(): String = json.toString()
}

/** Where the client keeps its one text: SharedPreferences, or whatever else there is. Either may throw: then memory has to do. */
interface RegistrationStorage {
    fun getItem(key: String): String?

    /** Returns when the text is safe: the app may be killed right after. */
    fun setItem(key: String, text: String)
}

class HttpRequest(val method: String, val url: String, val headers: Map<String, String>, val body: String?)

class HttpReply(val status: Int, val retryAfter: String?, val body: String)

/** One request at a time. */
interface Http {
    /** Blocks. Throws [IOException] if there is no reply, or after [cancel]. */
    fun send(request: HttpRequest): HttpReply

    /** Ends a [send] that is under way on another thread. */
    fun cancel()
}

/** The clock and chance; tests hand in their own. */
interface RegistrationClock {
    /** Epoch ms. */
    fun now(): Long

    /** 0 to 1, without 1. */
    fun random(): Double

    /** Calls [work] after [ms]; returns what cancels it. */
    fun after(ms: Long, work: () -> Unit): () -> Unit
}

/**
 * One per process and app. Sends what an earlier process left in the queue. [getAuthToken] answers at once, from memory or disk:
 * the auth token of who is logged in now, `null` if nobody is. It is called on the client's thread, and by [logout] on its caller's.
 *
 * Callbacks are called on the client's thread.
 */
class PushTokenRegistration(
    url: String,
    private val appId: String,
    private val getAuthToken: () -> String?,
    private val storage: RegistrationStorage?,
    private val http: Http = UrlConnectionHttp(),
    private val clock: RegistrationClock = SystemClock(),
    private val executor: Executor = Executors.newSingleThreadExecutor { work -> daemon(work) }
) {
    private val base = url.trimEnd('/')
    private val key = "push-token-registry:$appId"
    private val lock = Any()

    /** Auth tokens of logouts in the queue, by id. */
    private val auths = HashMap<String, String>()

    /** In place of a storage that is missing, full or forbidden. */
    private var memory: String? = if (storage == null) "{}" else null
    private var lastSent: String? = null
    private var failures = 0
    private var cancelTimer: () -> Unit = {}

    init {
        // What a closed app left behind.
        if (edit { doc -> doc.queue().length() } > 0) run(false) {}
    }

    /** After each login, and whenever the platform gives a token. One request. */
    fun register(wanted: Wanted, done: (RegistrationResult) -> Unit = {}) {
        edit { doc ->
            val state = doc.optJSONObject("state") ?: JSONObject().put("id", newId())
            val body = state.optJSONObject("body") ?: JSONObject()
            for ((name, value) in wanted.fields()) body.put(name, value)
            if (wanted.device.isNotEmpty()) {
                val device = body.optJSONObject("device") ?: JSONObject()
                for ((name, value) in wanted.device) device.put(name, value ?: JSONObject.NULL)
                body.put("device", device)
            }
            doc.put("state", state.put("rev", newId()).put("body", body).put("done", false))
        }
        run(false, done)
    }

    /** At each launch. At most one request an hour; none if nothing is wanted. */
    fun refresh(done: (RegistrationResult) -> Unit = {}) = run(false, done)

    /** When the network is back (ConnectivityManager): repeats at once what waits. */
    fun networkIsBack() = run(true) {}

    /** Call it before the app forgets the auth token. The ticket is in the queue when it returns; `ok` false: sent later. */
    fun logout(done: (RegistrationResult) -> Unit = {}) {
        val asked = attempt { getAuthToken() }?.ifEmpty { null }
        val id = newId()
        edit { doc ->
            val state = doc.optJSONObject("state")
            val who = state?.textOrNull("who")
            val sent = lastSent
            val auth = if (sent != null && hash(sent) == who) sent else asked
            val isEnd = auth != null && hash(auth) == who
            val entry = JSONObject().put("id", id).put("ticket", state?.textOrNull("ticket")).put("end", isEnd)
            if (auth != null) {
                auths[id] = auth
                // No ticket covers what a lost reply may have registered.
                if (state?.optBoolean("dirty") == true) entry.put("auth", auth)
                if (isEnd) doc.put("ended", lastNine(doc.getJSONArray("ended"), hash(auth)))
            }
            lastSent = null
            doc.remove("state")
            doc.queue().put(entry)
        }
        http.cancel()
        run(true) { result ->
            val waits = edit { doc -> doc.entries().any { it.getString("id") == id } }
            val pending = JSONObject().put("ok", !waits).put("pending", result.pending)
            done(RegistrationResult(if (waits) pending.put("reason", "queued").put("retrying", true) else pending))
        }
    }

    private fun <T> edit(change: (JSONObject) -> T): T = synchronized(lock) {
        val text = memory ?: attempt { storage?.getItem(key) }
        val doc = parse(text)
        for (name in listOf("queue", "ended")) if (doc.optJSONArray(name) == null) doc.put(name, JSONArray())
        val before = doc.toString()
        val result = change(doc)
        val after = doc.toString()
        if (after != before) write(after)
        result
    }

    private fun write(text: String) {
        val isWritten = memory == null && attempt { storage?.setItem(key, text) } != null
        if (!isWritten) memory = text
    }

    /** One run at a time. */
    private fun run(force: Boolean, done: (RegistrationResult) -> Unit) = executor.execute {
        val result = try {
            sync(force)
        } catch (error: Exception) {
            refusal("failed", false).put("message", error.toString()).put("pending", 0)
        }
        attempt { done(RegistrationResult(result)) }
    }

    private fun sync(force: Boolean): JSONObject {
        cancelTimer()
        val drained = drain(force)
        val result = post()
        val wait = max(drained, result.optLong("wait"))
        result.remove("wait")
        val pending = edit { doc -> doc.queue().length() }
        if (pending > 0 || result.optBoolean("retrying")) {
            val backoff = min(DELAY_MAX, 1000 * 2.0.pow(failures++)) * (0.5 + clock.random() / 2)
            val asked = min(HOUR, wait) * (1 + clock.random() / 4)
            cancelTimer = clock.after(ceil(max(backoff, asked)).toLong()) { run(false) {} }
        } else {
            failures = 0
        }
        return result.put("pending", pending)
    }

    /** Sends the logouts of the queue. Returns for how many ms the registry asks to wait. */
    private fun drain(force: Boolean): Long {
        var wait = 0L
        for (entry in edit { doc -> doc.entries() }) {
            val id = entry.getString("id")
            val ticket = entry.textOrNull("ticket")
            val auth = entry.textOrNull("auth") ?: synchronized(lock) { auths[id] }
            val gone = if (ticket == null) done() else send("POST", "/v2/tokens/unregister", ticket, force)
            val path = if (entry.optBoolean("end")) "/v3/me" else "/v2/tokens"
            val ended = if (auth == null) gone else send("DELETE", path, null, force, auth)
            // 400: the ticket is over.
            val isGone = gone.optBoolean("ok") || gone.optInt("status") == 400
            val isEnded = auth == null || !ended.optBoolean("retrying")
            edit { doc ->
                if (isEnded) auths.remove(id)
                val stored = doc.entries().find { it.getString("id") == id } ?: JSONObject()
                // Its late registration may have taken the device from the login of now.
                if (stored.has("auth") && isEnded) doc.optJSONObject("state")?.put("done", false)
                if (isGone) stored.remove("ticket")
                if (isEnded) stored.remove("auth")
                if (isGone && isEnded) doc.put("queue", JSONArray(doc.entries().filter { it !== stored }))
            }
            wait = max(wait, max(gone.optLong("wait"), ended.optLong("wait")))
            if (ended.has("status") && ended.optInt("status") == 0) break
        }
        return wait
    }

    private fun post(): JSONObject {
        val login = edit { doc -> doc.optJSONObject("state")?.optString("id") } ?: return done()
        val authToken = try {
            getAuthToken()?.ifEmpty { null }
        } catch (error: Exception) {
            return refusal("no_auth_token", true)
        } ?: return refusal("no_auth_token", false)
        val who = hash(authToken)
        var known: JSONObject? = null
        val begun = edit { doc ->
            val state = doc.optJSONObject("state")
            val age = clock.now() - (state?.optLong("at") ?: 0)
            val result = state?.optJSONObject("result")
            if (state == null || state.optString("id") != login || doc.getJSONArray("ended").texts().contains(who)) {
                known = refusal("logged_out", false)
            } else if (state.optBoolean("done") && result != null && age in 0 until HOUR &&
                (result.optBoolean("ok") || state.textOrNull("who") == who)
            ) {
                known = result
            } else {
                lastSent = authToken
                state.put("who", who).put("dirty", true).put("done", false)
            }
            parse(state?.toString())
        }
        known?.let { return it }
        val reply = send("POST", "/v2/tokens", begun.getJSONObject("body").toString(), false, authToken)
        val data = reply.remove("data") as JSONObject?
        return edit { doc -> settle(doc, begun, reply, data) }
    }

    private fun settle(doc: JSONObject, begun: JSONObject, reply: JSONObject, data: JSONObject?): JSONObject {
        val ticket = data?.textOrNull("unregisterTicket")
        val state = doc.optJSONObject("state")
        if (state == null || state.getString("id") != begun.getString("id")) {
            // Logged out meanwhile.
            if (ticket != null) doc.queue().put(JSONObject().put("id", newId()).put("ticket", ticket))
            return refusal("logged_out", false)
        }
        val result = if (data == null) parse(reply.toString()) else done().put("refused", data.optJSONObject("refused"))
        result.remove("wait")
        if (data != null) {
            state.put("dirty", ticket == null)
            if (ticket != null) state.put("ticket", ticket)
        }
        if (!reply.optBoolean("retrying") && state.getString("rev") == begun.getString("rev")) {
            state.put("done", true).put("at", clock.now()).put("result", parse(result.toString()))
        }
        return result.put("wait", reply.optLong("wait"))
    }

    /** `wait`: the ms that the registry asks for. `data`: of a success. */
    private fun send(method: String, path: String, body: String?, force: Boolean, authToken: String? = null): JSONObject {
        val until = edit { doc -> doc.optLong("notBefore") - clock.now() }
        if (!force && until > 0 && until <= HOUR) return refusal("unavailable", true).put("wait", until)
        val headers = if (authToken == null) {
            mapOf("Content-Type" to "text/plain")
        } else {
            mapOf("appId" to appId, "authToken" to authToken, "Content-Type" to "application/json")
        }
        val stop = clock.after(TIMEOUT) { http.cancel() }
        val reply = try {
            http.send(HttpRequest(method, base + path, headers, body))
        } catch (error: Exception) {
            return refusal("network", true).put("status", 0)
        } finally {
            stop()
        }
        return read(reply)
    }

    private fun read(reply: HttpReply): JSONObject {
        val status = reply.status
        val answer = parse(reply.body)
        val data = answer.optJSONObject("data")
        if (status in 200..299 && data?.optBoolean("success") == true) {
            return done().put("status", status).put("data", data)
        }
        val retrying = status < 400 || status >= 500 || status == 429 || status == 408
        val result = refusal(if (retrying) "unavailable" else if (status == 401) "unauthorized" else "rejected", retrying)
        val error = answer.optJSONObject("error") ?: JSONObject()
        for (name in listOf("code", "message", "details")) if (error.has(name)) result.put(name, error.get(name))
        val seconds = reply.retryAfter?.trim()?.toLongOrNull() ?: 0
        val wait = min(max(0, seconds), HOUR / 1000) * 1000
        if (retrying && wait > 0) edit { doc -> doc.put("notBefore", clock.now() + wait) }
        return result.put("status", status).put("wait", wait)
    }

    private companion object {
        const val HOUR = 3_600_000L
        const val TIMEOUT = 10_000L
        const val DELAY_MAX = 300_000.0

        fun daemon(work: Runnable) = Thread(work, "push-token-registration").apply { isDaemon = true }

        fun newId(): String = UUID.randomUUID().toString()

        fun done(): JSONObject = JSONObject().put("ok", true)

        fun refusal(reason: String, retrying: Boolean): JSONObject =
            JSONObject().put("ok", false).put("reason", reason).put("retrying", retrying)

        fun Wanted.fields(): Map<String, String> {
            val all = listOf(
                "fcmToken" to fcmToken, "apnsToken" to apnsToken, "voipToken" to voipToken,
                "platform" to (if (fcmToken == null) null else platform), "providerId" to providerId, "timezone" to timezone
            )
            return all.mapNotNull { (name, value) -> value?.let { name to it } }.toMap()
        }

        fun JSONObject.queue(): JSONArray = getJSONArray("queue")

        fun JSONObject.entries(): List<JSONObject> = queue().let { all -> (0 until all.length()).map { all.getJSONObject(it) } }

        fun JSONArray.texts(): List<String> = (0 until length()).map { getString(it) }

        fun lastNine(ended: JSONArray, who: String) = JSONArray((ended.texts().filter { it != who } + who).takeLast(9))

        fun parse(text: String?): JSONObject = try {
            JSONObject(text ?: "{}")
        } catch (error: JSONException) {
            JSONObject()
        }

        /** `null` if it fails. */
        fun <T> attempt(work: () -> T): T? = try {
            work()
        } catch (error: Exception) {
            null
        }

        /** Says whether two auth tokens are the same; no secret can be told from it. */
        fun hash(text: String): String {
            var a = 7
            var b = 11
            for (char in text) {
                a = (a xor (char - '\u0000')) * -1640531535
                b = (b xor (char - '\u0000')) * 1597334677
                a = a xor (a ushr 15)
                b = b xor (b ushr 13)
            }
            return (a.toLong() and 0xffffffffL).toString(36) + (b.toLong() and 0xffffffffL).toString(36)
        }
    }
}

private fun JSONObject.textOrNull(name: String): String? = if (isNull(name)) null else optString(name)

/** The platform's own HTTP. */
class UrlConnectionHttp : Http {
    @Volatile
    private var current: HttpURLConnection? = null

    override fun send(request: HttpRequest): HttpReply {
        val connection = URL(request.url).openConnection() as HttpURLConnection
        current = connection
        try {
            connection.requestMethod = request.method
            connection.connectTimeout = 10_000
            connection.readTimeout = 10_000
            for ((name, value) in request.headers) connection.setRequestProperty(name, value)
            if (request.body != null) {
                connection.doOutput = true
                connection.outputStream.use { it.write(request.body.toByteArray()) }
            }
            val status = connection.responseCode
            val stream = if (status < 400) connection.inputStream else connection.errorStream
            val body = stream?.use { it.readBytes().toString(Charsets.UTF_8) } ?: ""
            return HttpReply(status, connection.getHeaderField("Retry-After"), body)
        } finally {
            current = null
            connection.disconnect()
        }
    }

    override fun cancel() {
        val connection = current ?: return
        // Android allows no network work on the main thread, and closing a connection may be some.
        Thread { connection.disconnect() }.start()
    }
}

class SystemClock : RegistrationClock {
    private val timers = ScheduledThreadPoolExecutor(1) { work -> Thread(work).apply { isDaemon = true } }

    override fun now() = System.currentTimeMillis()

    override fun random() = Math.random()

    override fun after(ms: Long, work: () -> Unit): () -> Unit {
        val timer = timers.schedule(work, ms, TimeUnit.MILLISECONDS)
        return { timer.cancel(false) }
    }
}
