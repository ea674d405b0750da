// Plays the scenarios of clients/vectors with PushTokenRegistration.kt: java … VectorsKt clients/vectors/*.json
import java.io.File
import java.io.IOException
import java.util.ArrayDeque
import java.util.concurrent.Executor
import kotlin.system.exitProcess
import org.json.JSONArray
import org.json.JSONObject

private const val REGISTRY = "https://registry.example"
private const val KEY = "push-token-registry:acme"

private class Timer(val due: Long, val work: () -> Unit)

/** A device on which the app is started, used and closed. */
private class Device(private val scenario: JSONObject) {
    var now = 1_767_225_600_000L
    var skew = 0L
    var authToken: String? = null
    var stored: String? = if (scenario.has("stored")) scenario.getString("stored") else null
    val answers = ArrayDeque<Any>()
    val sent = JSONArray()
    val results = JSONObject()
    private var app: App? = null

    fun play(step: JSONObject) {
        if (step.has("authToken")) authToken = if (step.isNull("authToken")) null else step.getString("authToken")
        answers.clear()
        while (sent.length() > 0) sent.remove(0)
        for (name in results.keys().asSequence().toList()) results.remove(name)
        for (request in step.getJSONArray("requests").objects()) answers.add(request.get("answer"))
        val name = step.optString("as", "result")
        val keep = { result: RegistrationResult -> synchronized(this) { results.put(name, result.toJson()) }; Unit }
        when (step.getString("do")) {
            "start" -> {
                app?.isOpen = false
                app = App(this, scenario).also { it.start() }
            }
            "register" -> app!!.client.register(wanted(step.getJSONObject("wanted")), keep)
            "refresh" -> app!!.client.refresh(keep)
            "logout" -> app!!.client.logout(keep)
            "online" -> app!!.client.networkIsBack()
            "clock" -> skew += step.getLong("ms")
        }
        app!!.pass(if (step.getString("do") == "wait") step.getLong("ms") else 0)
    }
}

/** One process of the app. Its thread is quiet when it has nothing to do, or waits for a reply that does not come. */
private class App(private val device: Device, private val scenario: JSONObject) : Http, RegistrationStorage, RegistrationClock, Executor {
    @Volatile
    var isOpen = true
    lateinit var client: PushTokenRegistration
    private val monitor = Object()
    private val timers = ArrayList<Timer>()
    private val tasks = ArrayDeque<Runnable>()
    private var isWorking = false
    private var isWaiting = false

    fun start() {
        val storage = if (scenario.optString("storage") == "none") null else this
        Thread { while (true) work() }.apply { isDaemon = true }.start()
        client = PushTokenRegistration("$REGISTRY/", "acme", { device.authToken }, storage, this, this, this)
    }

    private fun work() {
        val task = synchronized(monitor) {
            while (tasks.isEmpty()) monitor.wait()
            isWorking = true
            tasks.remove()
        }
        task.run()
        synchronized(monitor) {
            isWorking = false
            monitor.notifyAll()
        }
    }

    fun pass(ms: Long) {
        val end = device.now + ms
        while (true) {
            val next = synchronized(monitor) {
                while (!isWaiting && (isWorking || tasks.isNotEmpty())) monitor.wait()
                timers.filter { it.due <= end }.sortedBy { it.due }.firstOrNull()?.also { timers.remove(it) }
            } ?: break
            device.now = maxOf(device.now, next.due)
            next.work()
        }
        device.now = end
    }

    override fun execute(task: Runnable) = synchronized(monitor) {
        tasks.add(task)
        monitor.notifyAll()
    }

    override fun now() = device.now + device.skew

    override fun random() = scenario.optDouble("random", 0.5)

    override fun after(ms: Long, work: () -> Unit): () -> Unit = synchronized(monitor) {
        val timer = Timer(device.now + ms, work)
        timers.add(timer)
        return { synchronized(monitor) { timers.remove(timer) }; Unit }
    }

    override fun getItem(key: String): String? {
        if (scenario.optString("storage") == "refuses") throw SecurityException()
        return if (key == KEY) device.stored else null
    }

    override fun setItem(key: String, text: String) {
        if (scenario.optString("storage") == "refuses") throw SecurityException()
        if (isOpen && key == KEY) device.stored = text
    }

    override fun send(request: HttpRequest): HttpReply {
        val authToken = request.headers["authToken"]
        val body: Any = request.body?.let { if (it.startsWith("{")) JSONObject(it) else it } ?: JSONObject.NULL
        check((request.headers["appId"] == "acme") == (authToken != null)) { "appId goes with authToken" }
        device.sent.put(
            JSONObject().put("method", request.method).put("path", request.url.removePrefix(REGISTRY))
                .put("authToken", authToken ?: JSONObject.NULL).put("body", body)
        )
        val answer = device.answers.poll() ?: "none"
        if (answer == "network") throw IOException("no network")
        if (answer is JSONObject) {
            val retryAfter = if (answer.has("retryAfter")) answer.getString("retryAfter") else null
            return HttpReply(answer.getInt("status"), retryAfter, answer.get("body").toString())
        }
        synchronized(monitor) {
            isWaiting = true
            monitor.notifyAll()
            while (isWaiting) monitor.wait()
        }
        throw IOException("cancelled")
    }

    override fun cancel() = synchronized(monitor) {
        isWaiting = false
        monitor.notifyAll()
    }
}

private fun JSONArray.objects() = (0 until length()).map { getJSONObject(it) }

private fun wanted(json: JSONObject): Wanted {
    fun text(name: String) = if (json.has(name)) json.getString(name) else null
    val device = json.optJSONObject("device") ?: JSONObject()
    val fields = device.keys().asSequence().associate { it to if (device.isNull(it)) null else device.getString(it) }
    return Wanted(
        text("fcmToken"), text("apnsToken"), text("voipToken"), text("platform"), text("providerId"), text("timezone"), fields
    )
}

/** What `actual` lacks of `expected`; fields that it does not name may be anything, `null` is absent. */
private fun differences(expected: Any?, actual: Any?, path: String): List<String> = when {
    expected == JSONObject.NULL -> if (actual == null || actual == JSONObject.NULL) emptyList() else listOf("$path: $actual should be absent")
    expected is JSONObject && actual is JSONObject ->
        expected.keys().asSequence().toList().flatMap { differences(expected.get(it), actual.opt(it), "$path.$it") }
    expected is JSONArray && actual is JSONArray && expected.length() == actual.length() ->
        (0 until expected.length()).flatMap { differences(expected.get(it), actual.get(it), "$path[$it]") }
    expected is Number && actual is Number && expected.toLong() == actual.toLong() -> emptyList()
    expected == actual -> emptyList()
    else -> listOf("$path: $actual should be $expected")
}

private fun faults(scenario: JSONObject): List<String> {
    val device = Device(scenario)
    for ((n, step) in scenario.getJSONArray("steps").objects().withIndex()) {
        device.play(step)
        val requests = JSONArray(step.getJSONArray("requests").objects().map { JSONObject(it.toString()).apply { remove("answer") } })
        val results = JSONObject((step.optJSONObject("results") ?: JSONObject()).toString())
        if (step.has("result")) results.put("result", step.get("result"))
        val found = differences(requests, device.sent, "requests") + differences(results, device.results, "results") +
            device.results.keys().asSequence().filter { it != "result" && !results.has(it) }.map { "$it ended" } +
            if (!step.has("stored") || scenario.has("storage")) emptyList()
            else differences(step.get("stored"), device.stored?.let { JSONObject(it) }, "stored")
        if (found.isNotEmpty()) return found.map { "step ${n + 1} (${step.getString("do")}): $it" }
    }
    return emptyList()
}

fun main(args: Array<String>) {
    var played = 0
    var failed = 0
    for (file in args) for (scenario in JSONArray(File(file).readText()).objects()) {
        played++
        val found = faults(scenario)
        if (found.isEmpty()) continue
        failed++
        println("$file: ${scenario.getString("name")}\n  ${found.joinToString("\n  ")}")
    }
    println("$played scenarios, $failed failed")
    exitProcess(if (failed == 0 && played > 0) 0 else 1)
}
