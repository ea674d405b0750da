// Keeps a device's push tokens registered: public/client.js in Swift, held to the same scenarios (clients/README.md).
// Not compiled here: read against the scenarios by hand. One file, Swift 5.7, iOS 15, macOS 12 and later.
import Foundation

/// What the device wants registered. What a later call leaves out stays as it was, until `logout`.
public struct Wanted: Codable, Equatable, Sendable {
    /// Each 1–4096 visible ASCII characters.
    public var fcmToken: String?
    public var apnsToken: String?
    public var voipToken: String?
    /// Of `fcmToken`: "ios", "android" or "web".
    public var platform: String?
    public var providerId: String?
    public var timezone: String?
    /// id, name, model, os, appVersion, locale, environment, bundleId: at most 100 characters each; `.some(nil)` clears one.
    public var device: [String: String?]?

    public init(
        fcmToken: String? = nil, apnsToken: String? = nil, voipToken: String? = nil, platform: String? = nil,
        providerId: String? = nil, timezone: String? = nil, device: [String: String?]? = nil
    ) {
        self.fcmToken = fcmToken
        self.apnsToken = apnsToken
        self.voipToken = voipToken
        self.platform = platform
        self.providerId = providerId
        self.timezone = timezone
        self.device = device
    }

    fileprivate mutating func add(_ later: Wanted) {
        fcmToken = later.fcmToken ?? fcmToken
        apnsToken = later.apnsToken ?? apnsToken
        voipToken = later.voipToken ?? voipToken
        platform = later.platform ?? platform
        providerId = later.providerId ?? providerId
        timezone = later.timezone ?? timezone
        if let more = later.device { device = (device ?? [:]).merging(more) { _, new in new } }
    }
}

/// What came of a call. No call throws.
public struct RegistrationResult: Codable, Equatable, Sendable {
    public enum Reason: String, Codable, Sendable {
        /// No reply.
        case network
        /// 429, 408 or 5xx.
        case unavailable
        /// 401. Nothing is sent again for this auth token within the hour: log in, then call `register`.
        case unauthorized
        /// Any other refusal; `details` names the field.
        case rejected
        case noAuthToken = "no_auth_token"
        /// A logout came first, or the auth token is one that has logged out.
        case loggedOut = "logged_out"
        /// Of `logout`: it is in the queue.
        case queued
    }

    public var ok: Bool
    public var reason: Reason?
    /// The client repeats it by itself.
    public var retrying: Bool?
    /// HTTP status of the reply; 0: there was none; `nil`: nothing was sent.
    public var status: Int?
    /// The registry's own words.
    public var code: String?
    public var message: String?
    public var details: [String: [String]]?
    /// Fields that the registry could not use, each with the reason.
    public var refused: [String: String]?
    /// Logouts of this device that the registry has not confirmed yet.
    public var pending: Int?

    fileprivate static let done = RegistrationResult(ok: true)

    fileprivate static func refusal(_ reason: Reason, retrying: Bool = false, status: Int? = nil) -> RegistrationResult {
        RegistrationResult(ok: false, reason: reason, retrying: retrying, status: status)
    }
}

/// Where the client keeps its one text. Either may throw: then memory has to do.
public protocol RegistrationStorage {
    func getItem(_ key: String) throws -> String?
    /// Returns when the text is safe: the app may be killed right after.
    func setItem(_ key: String, _ text: String) throws
}

public struct DefaultsStorage: RegistrationStorage {
    let defaults: UserDefaults
    public init(_ defaults: UserDefaults = .standard) { self.defaults = defaults }
    public func getItem(_ key: String) -> String? { defaults.string(forKey: key) }
    public func setItem(_ key: String, _ text: String) { defaults.set(text, forKey: key) }
}

/// The clock and chance; tests hand in their own.
public struct RegistrationClock {
    /// Epoch ms.
    public var now: () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
    /// 0 to 1, without 1.
    public var random: () -> Double = { Double.random(in: 0..<1) }
    /// Throws when its task is cancelled.
    public var sleep: (_ ms: Int64) async throws -> Void = { try await Task.sleep(nanoseconds: UInt64($0) * 1_000_000) }
    public init() {}
}

/// One per app. Sends what an earlier start left in the queue. May be called from any thread.
public final class PushTokenRegistration: @unchecked Sendable {
    /// Throws if there is no reply, or when its task is cancelled.
    public typealias Send = (URLRequest) async throws -> (Data, URLResponse)

    private static let hour: Int64 = 3_600_000
    private static let timeout: Int64 = 10_000
    private static let delayMax = 300_000.0

    private let base: String
    private let appId: String
    private let getAuthToken: () -> String?
    private let storage: RegistrationStorage?
    private let send: Send
    private let clock: RegistrationClock

    /// Guards all that follows; what holds it never waits.
    private let lock = NSRecursiveLock()
    /// Auth tokens of logouts in the queue, by id.
    private var auths: [String: String] = [:]
    /// In place of a storage that is missing or forbidden.
    private var memory: Document?
    private var lastSent: String?
    private var failures = 0
    private var running: Task<RegistrationResult, Never>?
    private var sending: Task<(Data, URLResponse), Error>?
    private var timer: Task<Void, Never>?

    /// `getAuthToken` answers at once, from memory or the keychain: the auth token of who is logged in now, `nil` if nobody is.
    /// It is called by the client's tasks, and by `logout` on its caller's thread.
    public init(
        url: String, appId: String, getAuthToken: @escaping () -> String?, storage: RegistrationStorage? = DefaultsStorage(),
        send: @escaping Send = { try await URLSession.shared.data(for: $0) }, clock: RegistrationClock = RegistrationClock()
    ) {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.appId = appId
        self.getAuthToken = getAuthToken
        self.storage = storage
        self.send = send
        self.clock = clock
        memory = storage == nil ? Document() : nil
        // What a closed app left behind.
        if edit({ !$0.queue.isEmpty }) { run(force: false) }
    }

    /// After each login, and whenever the platform gives a token. One request.
    @discardableResult
    public func register(_ wanted: Wanted) async -> RegistrationResult {
        edit { doc in
            var state = doc.state ?? State(id: newId())
            state.body.add(wanted)
            state.rev = newId()
            state.done = false
            doc.state = state
        }
        return await run(force: false).value
    }

    /// At each launch. At most one request an hour; none if nothing is wanted.
    @discardableResult
    public func refresh() async -> RegistrationResult { await run(force: false).value }

    /// When the network is back (NWPathMonitor): repeats at once what waits.
    public func networkIsBack() { run(force: true) }

    /// Call it before the app forgets the auth token. When it returns, the ticket is in the queue; the task says what came of it.
    @discardableResult
    public func logout() -> Task<RegistrationResult, Never> {
        let asked = getAuthToken().flatMap { $0.isEmpty ? nil : $0 }
        let id = newId()
        edit { doc in
            let state = doc.state
            var auth = asked
            if let sent = lastSent, hash(sent) == state?.who { auth = sent }
            var entry = Entry(id: id, ticket: state?.ticket)
            if let auth = auth {
                auths[id] = auth
                entry.end = hash(auth) == state?.who
                // No ticket covers what a lost reply may have registered.
                if state?.dirty == true { entry.auth = auth }
                if entry.end { doc.ended = Array((doc.ended.filter { $0 != state?.who } + [hash(auth)]).suffix(9)) }
            }
            lastSent = nil
            doc.state = nil
            doc.queue.append(entry)
            sending?.cancel()
        }
        let round = run(force: true)
        return Task {
            let pending = await round.value.pending
            let waits = edit { doc in doc.queue.contains { $0.id == id } }
            var result = waits ? RegistrationResult.refusal(.queued, retrying: true) : .done
            result.pending = pending
            return result
        }
    }

    @discardableResult
    private func edit<T>(_ change: (inout Document) -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        let before = memory ?? Document(text: try? storage?.getItem(key))
        var doc = before
        let result = change(&doc)
        if doc != before { write(doc) }
        return result
    }

    private var key: String { "push-token-registry:\(appId)" }

    private func write(_ doc: Document) {
        if memory == nil, let storage = storage, (try? storage.setItem(key, doc.text)) != nil { return }
        memory = doc
    }

    /// One run at a time.
    @discardableResult
    private func run(force: Bool) -> Task<RegistrationResult, Never> {
        lock.lock()
        defer { lock.unlock() }
        let before = running
        let task = Task { () -> RegistrationResult in
            _ = await before?.value
            return await sync(force: force)
        }
        running = task
        return task
    }

    private func sync(force: Bool) async -> RegistrationResult {
        edit { _ in timer?.cancel() }
        let drained = await drain(force: force)
        let (known, wait) = await post()
        var result = known
        let pending = edit { $0.queue.count }
        result.pending = pending
        edit { _ in
            guard pending > 0 || result.retrying == true else {
                failures = 0
                return
            }
            let backoff = min(Self.delayMax, 1000 * pow(2, Double(failures))) * (0.5 + clock.random() / 2)
            failures += 1
            let asked = Double(min(Self.hour, max(drained, wait))) * (1 + clock.random() / 4)
            let delay = Int64(max(backoff, asked).rounded(.up))
            timer = Task { [weak self, clock] in
                guard (try? await clock.sleep(delay)) != nil, !Task.isCancelled else { return }
                self?.run(force: false)
            }
        }
        return result
    }

    /// Sends the logouts of the queue. Returns for how many ms the registry asks to wait.
    private func drain(force: Bool) async -> Int64 {
        var wait: Int64 = 0
        for entry in edit({ $0.queue }) {
            let auth = entry.auth ?? edit { _ in auths[entry.id] }
            var gone = Reply(result: .done)
            if let ticket = entry.ticket {
                gone = await request("POST", "/v2/tokens/unregister", body: Data(ticket.utf8), force: force)
            }
            var ended = gone
            if let auth = auth {
                ended = await request("DELETE", entry.end ? "/v3/me" : "/v2/tokens", force: force, authToken: auth)
            }
            // 400: the ticket is over.
            let isGone = gone.result.ok || gone.result.status == 400
            let isEnded = auth == nil || ended.result.retrying != true
            edit { doc in
                if isEnded { auths[entry.id] = nil }
                guard let n = doc.queue.firstIndex(where: { $0.id == entry.id }) else { return }
                // Its late registration may have taken the device from the login of now.
                if doc.queue[n].auth != nil && isEnded { doc.state?.done = false }
                if isGone { doc.queue[n].ticket = nil }
                if isEnded { doc.queue[n].auth = nil }
                if isGone && isEnded { doc.queue.remove(at: n) }
            }
            wait = max(wait, gone.wait, ended.wait)
            if ended.result.status == 0 { break }
        }
        return wait
    }

    private func post() async -> (RegistrationResult, wait: Int64) {
        guard let login = edit({ $0.state?.id }) else { return (.done, 0) }
        guard let authToken = getAuthToken(), !authToken.isEmpty else { return (.refusal(.noAuthToken), 0) }
        let who = hash(authToken)
        var known: RegistrationResult?
        let started = edit { (doc: inout Document) -> State? in
            guard var state = doc.state, state.id == login, !doc.ended.contains(who) else {
                known = .refusal(.loggedOut)
                return nil
            }
            let age = clock.now() - (state.at ?? 0)
            if state.done, let result = state.result, age >= 0, age < Self.hour, result.ok || state.who == who {
                known = result
                return nil
            }
            state.who = who
            state.dirty = true
            state.done = false
            doc.state = state
            lastSent = authToken
            return state
        }
        guard let begun = started else { return (known ?? .refusal(.loggedOut), 0) }
        let body = try? JSONEncoder().encode(begun.body)
        let reply = await request("POST", "/v2/tokens", body: body, force: false, authToken: authToken)
        return (edit { settle(&$0, begun, reply) }, reply.wait)
    }

    private func settle(_ doc: inout Document, _ begun: State, _ reply: Reply) -> RegistrationResult {
        let ticket = reply.data?.unregisterTicket
        guard var state = doc.state, state.id == begun.id else {
            // Logged out meanwhile.
            if let ticket = ticket { doc.queue.append(Entry(id: newId(), ticket: ticket)) }
            return .refusal(.loggedOut)
        }
        var result = reply.result
        if let data = reply.data {
            result = .done
            result.refused = data.refused
            state.dirty = ticket == nil
            state.ticket = ticket ?? state.ticket
        }
        if result.retrying != true && state.rev == begun.rev {
            state.done = true
            state.at = clock.now()
            state.result = result
        }
        doc.state = state
        return result
    }

    private func request(
        _ method: String, _ path: String, body: Data? = nil, force: Bool, authToken: String? = nil
    ) async -> Reply {
        let until = edit { ($0.notBefore ?? 0) - clock.now() }
        if !force && until > 0 && until <= Self.hour {
            return Reply(result: .refusal(.unavailable, retrying: true), wait: until)
        }
        guard let url = URL(string: base + path) else { return Reply(result: .refusal(.network, retrying: true, status: 0)) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body
        request.setValue(authToken == nil ? "text/plain" : "application/json", forHTTPHeaderField: "Content-Type")
        if let authToken = authToken {
            request.setValue(appId, forHTTPHeaderField: "appId")
            request.setValue(authToken, forHTTPHeaderField: "authToken")
        }
        guard let (data, response) = await answer(to: request), let http = response as? HTTPURLResponse else {
            return Reply(result: .refusal(.network, retrying: true, status: 0))
        }
        return read(http, data)
    }

    /// `nil`: there was none in ten seconds, or a logout came.
    private func answer(to request: URLRequest) async -> (Data, URLResponse)? {
        let task = Task { [send] in try await send(request) }
        edit { _ in sending = task }
        let stop = Task { [clock] in
            if (try? await clock.sleep(Self.timeout)) != nil { task.cancel() }
        }
        defer { stop.cancel() }
        return try? await task.value
    }

    private func read(_ response: HTTPURLResponse, _ data: Data) -> Reply {
        let status = response.statusCode
        let answer = try? JSONDecoder().decode(Answer.self, from: data)
        if (200..<300).contains(status), let data = answer?.data, data.success == true {
            var result = RegistrationResult.done
            result.status = status
            return Reply(result: result, data: data)
        }
        let retrying = status < 400 || status >= 500 || status == 429 || status == 408
        var result = RegistrationResult.refusal(
            retrying ? .unavailable : status == 401 ? .unauthorized : .rejected, retrying: retrying, status: status)
        result.code = answer?.error?.code
        result.message = answer?.error?.message
        result.details = answer?.error?.details
        let seconds = Int64(response.value(forHTTPHeaderField: "Retry-After") ?? "") ?? 0
        let wait = min(max(0, seconds), Self.hour / 1000) * 1000
        if retrying && wait > 0 { edit { $0.notBefore = clock.now() + wait } }
        return Reply(result: result, wait: wait)
    }
}

/// What is stored; docs/client.md says what each field is.
private struct Document: Codable, Equatable {
    var queue: [Entry] = []
    var ended: [String] = []
    var state: State?
    var notBefore: Int64?

    init() {}

    /// Empty if `text` is none.
    init(text: String?) {
        self = text.flatMap { try? JSONDecoder().decode(Document.self, from: Data($0.utf8)) } ?? Document()
    }

    init(from decoder: Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        queue = try fields.decodeIfPresent([Entry].self, forKey: .queue) ?? []
        ended = try fields.decodeIfPresent([String].self, forKey: .ended) ?? []
        state = try fields.decodeIfPresent(State.self, forKey: .state)
        notBefore = try fields.decodeIfPresent(Int64.self, forKey: .notBefore)
    }

    var text: String { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}" }
}

private struct Entry: Codable, Equatable {
    var id: String
    var ticket: String?
    var end = false
    var auth: String?
}

private struct State: Codable, Equatable {
    var id: String
    var rev = ""
    var body = Wanted()
    var who: String?
    var ticket: String?
    var dirty = false
    var done = false
    var at: Int64?
    var result: RegistrationResult?
}

private struct Reply {
    var result: RegistrationResult
    var data: Answer.Success?
    /// The ms that the registry asks for.
    var wait: Int64 = 0
}

private struct Answer: Decodable {
    struct Success: Decodable {
        var success: Bool?
        var unregisterTicket: String?
        var refused: [String: String]?
    }
    struct Failure: Decodable {
        var code: String?
        var message: String?
        var details: [String: [String]]?
    }
    var data: Success?
    var error: Failure?
}

private func newId() -> String { UUID().uuidString }

/// Says whether two auth tokens are the same; no secret can be told from it.
private func hash(_ text: String) -> String {
    var a: UInt32 = 7
    var b: UInt32 = 11
    for unit in text.utf16 {
        a = (a ^ UInt32(unit)) &* 2_654_435_761
        b = (b ^ UInt32(unit)) &* 1_597_334_677
        a ^= a >> 15
        b ^= b >> 13
    }
    return String(a, radix: 36) + String(b, radix: 36)
}
