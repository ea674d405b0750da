// Keeps a device's push tokens registered: public/client.js in Dart, held to the same scenarios (clients/README.md).
// Not compiled here: read against the scenarios by hand. One file, Dart 3, for Flutter on iOS and Android. On the web: client.js.
import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:math';

/// What the device wants registered. What a later call leaves out stays as it was, until [PushTokenRegistration.logout].
class Wanted {
  const Wanted({
    this.fcmToken,
    this.apnsToken,
    this.voipToken,
    this.platform,
    this.providerId,
    this.timezone,
    this.device = const {},
  });

  /// Each 1–4096 visible ASCII characters.
  final String? fcmToken, apnsToken, voipToken;

  /// Of [fcmToken]: `ios`, `android` or `web`. By default that of [Platform]: dart:io's User-Agent does not say it.
  final String? platform;
  final String? providerId, timezone;

  /// id, name, model, os, appVersion, locale, environment, bundleId: at most 100 characters each; `null` clears one.
  final Map<String, String?> device;

  Map<String, dynamic> get _fields => {
        if (fcmToken != null) 'fcmToken': fcmToken,
        if (apnsToken != null) 'apnsToken': apnsToken,
        if (voipToken != null) 'voipToken': voipToken,
        if (platform != null || fcmToken != null) 'platform': platform ?? (Platform.isIOS ? 'ios' : 'android'),
        if (providerId != null) 'providerId': providerId,
        if (timezone != null) 'timezone': timezone,
      };
}

/// What came of a call. No call throws.
class RegistrationResult {
  RegistrationResult._(this.json);

  /// All of it: also `details` (what is wrong with which field) and `refused` (fields that could not be used, and why).
  final Map<String, dynamic> json;

  bool get ok => json['ok'] == true;

  /// `null` if [ok]. `network`: no reply. `unavailable`: 429, 408 or 5xx. `unauthorized`: 401, nothing is sent again for this
  /// auth token within the hour. `rejected`: any other refusal. `no_auth_token`, `logged_out`, `queued` (of logout: in the
  /// queue), `failed`: a fault of the client; [message] has it.
  String? get reason => json['reason'] as String?;

  /// The client repeats it by itself.
  bool get retrying => json['retrying'] == true;

  /// HTTP status of the reply; 0: there was none; `null`: nothing was sent.
  int? get status => json['status'] as int?;
  String? get code => json['code'] as String?;
  String? get message => json['message'] as String?;

  /// Logouts of this device that the registry has not confirmed yet.
  int get pending => json['pending'] as int? ?? 0;

  @override
  String toString() => jsonEncode(json);
}

/// Where the client keeps its one text: shared_preferences, or whatever else there is. Either may throw: then memory has to do.
abstract interface class RegistrationStorage {
  FutureOr<String?> getItem(String key);

  /// Completes when the text is safe: the app may be killed right after.
  FutureOr<void> setItem(String key, String text);
}

class RegistrationRequest {
  const RegistrationRequest(this.method, this.url, this.headers, this.body);
  final String method;
  final Uri url;
  final Map<String, String> headers;
  final String? body;
}

class RegistrationReply {
  const RegistrationReply(this.status, this.retryAfter, this.body);
  final int status;
  final String? retryAfter;
  final String body;
}

/// Sends a request. Fails if there is no reply, or as soon as `cancelled` completes.
typedef RegistrationSend = Future<RegistrationReply> Function(RegistrationRequest request, Future<void> cancelled);

/// One per app (and isolate that uses it: hand in the same one). Sends what an earlier start left in the queue.
class PushTokenRegistration {
  /// [getAuthToken]: the auth token of who is logged in now, `null` if nobody is. Called at each request, and at once by [logout].
  /// [now] and [random] are for tests; timers are those of the zone.
  PushTokenRegistration({
    required String url,
    required this.appId,
    required FutureOr<String?> Function() getAuthToken,
    RegistrationStorage? storage,
    RegistrationSend? send,
    DateTime Function()? now,
    Random? random,
  })  : _base = url.replaceFirst(RegExp(r'/+$'), ''),
        _getAuthToken = getAuthToken,
        _storage = storage,
        _send = send ?? sendByHttpClient,
        _now = now ?? DateTime.now,
        _random = random ?? Random(),
        _memory = storage == null ? '{}' : null {
    // What a closed app left behind.
    _edit((doc) => _queue(doc).isNotEmpty).then((waiting) {
      if (waiting) _run();
    });
  }

  static const _hour = 3600000;
  static const _timeout = Duration(seconds: 10);
  static const _delayMax = 300000;

  final String appId;
  final String _base;
  final FutureOr<String?> Function() _getAuthToken;
  final RegistrationStorage? _storage;
  final RegistrationSend _send;
  final DateTime Function() _now;
  final Random _random;

  /// Auth tokens of logouts in the queue, by id.
  final _auths = <String, String>{};

  /// In place of a storage that is missing, full or forbidden.
  String? _memory;
  Future<void> _editing = Future.value();
  Future<void> _running = Future.value();
  Completer<void>? _cancel;
  Timer? _timer;
  String? _lastSent;
  int _failures = 0;
  int _ids = 0;

  /// After each login, and whenever the platform gives a token. One request.
  Future<RegistrationResult> register(Wanted wanted) async {
    await _edit((doc) {
      final state = doc['state'] as Map<String, dynamic>? ?? <String, dynamic>{'id': _newId()};
      final body = state['body'] as Map<String, dynamic>? ?? <String, dynamic>{};
      final device = <String, dynamic>{...?(body['device'] as Map<String, dynamic>?), ...wanted.device};
      doc['state'] = {
        ...state,
        'rev': _newId(),
        'body': {...body, ...wanted._fields, if (device.isNotEmpty) 'device': device},
        'done': false,
      };
    });
    return _run();
  }

  /// At each launch. At most one request an hour; none if nothing is wanted.
  Future<RegistrationResult> refresh() => _run();

  /// When the network is back (connectivity_plus): repeats at once what waits.
  Future<RegistrationResult> networkIsBack() => _run(force: true);

  /// Call it before the app forgets the auth token. `ok` false: in the queue, and sent later.
  Future<RegistrationResult> logout() async {
    // Both before anything is awaited: soon they may be the next user's.
    final asked = _ask()..ignore();
    final sent = _lastSent;
    final id = _newId();
    final entry = <String, dynamic>{'id': id};
    String? login;
    String? who;
    var isAuthKept = false;
    void leave(Map<String, dynamic> doc) {
      final state = doc['state'] as Map<String, dynamic>?;
      if (state != null && (login ?? state['id']) == state['id']) {
        login = state['id'] as String;
        if (state['ticket'] != null) entry['ticket'] = state['ticket'];
        who = state['who'] as String?;
        if (sent != null && _hash(sent) == who) _auths[id] = sent;
        // No ticket covers what a lost reply may have registered.
        isAuthKept = state['dirty'] == true;
        doc.remove('state');
      }
      login ??= '';
      final auth = _auths[id];
      entry['end'] = auth != null && _hash(auth) == who;
      if (auth != null && isAuthKept) entry['auth'] = auth;
      if (entry['end'] == true) {
        final ended = [..._ended(doc).where((each) => each != who), who];
        doc['ended'] = ended.sublist(max(0, ended.length - 9));
      }
      doc['queue'] = [..._queue(doc).where((each) => each['id'] != id), entry];
    }

    final left = _edit(leave);
    _abort();
    await left;
    if (!_auths.containsKey(id)) {
      final auth = await _within(asked).catchError((Object _) => null);
      if (auth != null && auth.isNotEmpty) {
        _auths[id] = auth;
        await _edit(leave);
      }
    }
    if (_lastSent == sent) _lastSent = null;
    final pending = (await _run(force: true)).pending;
    final waits = await _edit((doc) => _queue(doc).any((each) => each['id'] == id));
    return RegistrationResult._(
      waits
          ? {..._refusal('queued', retrying: true), 'pending': pending}
          : {'ok': true, 'pending': pending},
    );
  }

  /// One after the other. [change] waits for nothing.
  Future<T> _edit<T>(T Function(Map<String, dynamic> doc) change) {
    final edited = _editing.then((_) async {
      final doc = <String, dynamic>{'queue': <dynamic>[], 'ended': <dynamic>[], ..._parse(await _read())};
      final before = jsonEncode(doc);
      final result = change(doc);
      final after = jsonEncode(doc);
      if (after != before) await _write(after);
      return result;
    });
    _editing = edited.then<void>((_) {}, onError: (Object _) {});
    return edited;
  }

  String get _key => 'push-token-registry:$appId';

  Future<String?> _read() async {
    if (_memory != null) return _memory;
    try {
      return await _storage?.getItem(_key);
    } catch (_) {
      return null;
    }
  }

  Future<void> _write(String text) async {
    if (_memory == null) {
      try {
        await _storage?.setItem(_key, text);
        return;
      } catch (_) {
        // Memory has to do.
      }
    }
    _memory = text;
  }

  /// One run at a time.
  Future<RegistrationResult> _run({bool force = false}) {
    final result = _running.then((_) => _sync(force)).catchError(
          (Object error) => {..._refusal('failed'), 'message': '$error', 'pending': 0},
        );
    _running = result.then<void>((_) {});
    return result.then(RegistrationResult._);
  }

  Future<Map<String, dynamic>> _sync(bool force) async {
    _timer?.cancel();
    final drained = await _drain(force);
    final result = await _post();
    final wait = max(drained, result.remove('wait') as int? ?? 0);
    final pending = await _edit((doc) => _queue(doc).length);
    if (pending > 0 || result['retrying'] == true) {
      final backoff = min(_delayMax, 1000 * pow(2, min(_failures++, 20))) * (0.5 + _random.nextDouble() / 2);
      final asked = min(_hour, wait) * (1 + _random.nextDouble() / 4);
      _timer = Timer(Duration(milliseconds: max(backoff, asked).ceil()), _run);
    } else {
      _failures = 0;
    }
    return {...result, 'pending': pending};
  }

  /// Sends the logouts of the queue. Returns for how many ms the registry asks to wait.
  Future<int> _drain(bool force) async {
    var wait = 0;
    for (final entry in await _edit(_queue)) {
      final id = entry['id'] as String;
      final ticket = entry['ticket'] as String?;
      final auth = entry['auth'] as String? ?? _auths[id];
      final gone = ticket == null
          ? <String, dynamic>{'ok': true}
          : await _request('POST', '/v2/tokens/unregister', body: ticket, force: force);
      final path = entry['end'] == true ? '/v3/me' : '/v2/tokens';
      final ended = auth == null ? gone : await _request('DELETE', path, force: force, authToken: auth);
      // 400: the ticket is over.
      final isGone = gone['ok'] == true || gone['status'] == 400;
      final isEnded = auth == null || ended['retrying'] != true;
      if (isEnded) _auths.remove(id);
      await _edit((doc) {
        final stored = _queue(doc).firstWhere((each) => each['id'] == id, orElse: () => <String, dynamic>{});
        // Its late registration may have taken the device from the login of now.
        final state = doc['state'] as Map<String, dynamic>?;
        if (stored['auth'] != null && isEnded && state != null) state['done'] = false;
        if (isGone) stored.remove('ticket');
        if (isEnded) stored.remove('auth');
        if (isGone && isEnded) doc['queue'] = [..._queue(doc).where((each) => each['id'] != id)];
      });
      wait = [wait, gone['wait'] as int? ?? 0, ended['wait'] as int? ?? 0].reduce(max);
      if (ended['status'] == 0) break;
    }
    return wait;
  }

  Future<Map<String, dynamic>> _post() async {
    final login = await _edit((doc) => (doc['state'] as Map<String, dynamic>?)?['id'] as String?);
    if (login == null) return {'ok': true};
    final String? authToken;
    try {
      authToken = await _within(_ask());
    } catch (_) {
      return _refusal('no_auth_token', retrying: true);
    }
    if (authToken == null || authToken.isEmpty) return _refusal('no_auth_token');
    final who = _hash(authToken);
    Map<String, dynamic>? known;
    final begun = await _edit((doc) {
      final state = doc['state'] as Map<String, dynamic>?;
      if (state == null || state['id'] != login || _ended(doc).contains(who)) {
        known = _refusal('logged_out');
        return const <String, dynamic>{};
      }
      final age = _nowMs - (state['at'] as int? ?? 0);
      final result = state['result'] as Map<String, dynamic>?;
      final isFresh = state['done'] == true && age >= 0 && age < _hour && (result?['ok'] == true || state['who'] == who);
      if (isFresh && result != null) {
        known = {...result};
      } else {
        state.addAll({'who': who, 'dirty': true, 'done': false});
      }
      return {...state};
    });
    if (known != null) return known!;
    _lastSent = authToken;
    final reply = await _request('POST', '/v2/tokens', body: jsonEncode(begun['body']), authToken: authToken);
    return _edit((doc) => _settle(doc, begun, reply));
  }

  Map<String, dynamic> _settle(Map<String, dynamic> doc, Map<String, dynamic> begun, Map<String, dynamic> reply) {
    final data = reply.remove('data') as Map<String, dynamic>?;
    final wait = reply.remove('wait');
    final ticket = data?['unregisterTicket'] as String?;
    final state = doc['state'] as Map<String, dynamic>?;
    if (state == null || state['id'] != begun['id']) {
      // Logged out meanwhile.
      if (ticket != null) doc['queue'] = [..._queue(doc), {'id': _newId(), 'ticket': ticket}];
      return _refusal('logged_out');
    }
    final result = data == null
        ? reply
        : <String, dynamic>{'ok': true, if (data['refused'] != null) 'refused': data['refused']};
    if (data != null) {
      state['dirty'] = ticket == null;
      if (ticket != null) state['ticket'] = ticket;
    }
    if (reply['retrying'] != true && state['rev'] == begun['rev']) {
      state.addAll({'done': true, 'at': _nowMs, 'result': {...result}});
    }
    return {...result, if (wait != null) 'wait': wait};
  }

  /// `wait`: the ms that the registry asks for. `data`: of a success.
  Future<Map<String, dynamic>> _request(
    String method,
    String path, {
    String? body,
    bool force = false,
    String? authToken,
  }) async {
    final until = await _edit((doc) => (doc['notBefore'] as int? ?? 0) - _nowMs);
    if (!force && until > 0 && until <= _hour) return {..._refusal('unavailable', retrying: true), 'wait': until};
    final headers = authToken == null
        ? {'Content-Type': 'text/plain'}
        : {'appId': appId, 'authToken': authToken, 'Content-Type': 'application/json'};
    final RegistrationReply reply;
    try {
      final request = RegistrationRequest(method, Uri.parse('$_base$path'), headers, body);
      final cancelled = Completer<void>();
      reply = await _within(Future.sync(() => _send(request, cancelled.future)), cancelled);
    } catch (_) {
      return {..._refusal('network', retrying: true), 'status': 0};
    }
    final status = reply.status;
    final answer = _parse(reply.body);
    final data = answer['data'];
    if (status >= 200 && status < 300 && data is Map<String, dynamic> && data['success'] == true) {
      return {'ok': true, 'status': status, 'data': data};
    }
    final retrying = status < 400 || status >= 500 || status == 429 || status == 408;
    final reason = retrying ? 'unavailable' : (status == 401 ? 'unauthorized' : 'rejected');
    final seconds = int.tryParse(reply.retryAfter?.trim() ?? '') ?? 0;
    final wait = min(max(0, seconds), _hour ~/ 1000) * 1000;
    if (retrying && wait > 0) await _edit((doc) => doc['notBefore'] = _nowMs + wait);
    final error = answer['error'];
    return {
      ..._refusal(reason, retrying: retrying),
      'status': status,
      'wait': wait,
      if (error is Map<String, dynamic>)
        for (final name in const ['code', 'message', 'details'])
          if (error[name] != null) name: error[name],
    };
  }

  /// [work], for ten seconds at most, and until [_abort].
  Future<T> _within<T>(Future<T> work, [Completer<void>? cancelled]) {
    final cancel = cancelled ?? Completer<void>();
    _cancel = cancel;
    final clock = Timer(_timeout, () {
      if (!cancel.isCompleted) cancel.complete();
    });
    final stopped = cancel.future.then<T>((_) => throw TimeoutException('given up'));
    return Future.any([work, stopped]).whenComplete(clock.cancel);
  }

  void _abort() {
    final cancel = _cancel;
    if (cancel != null && !cancel.isCompleted) cancel.complete();
  }

  Future<String?> _ask() => Future.sync(_getAuthToken);

  int get _nowMs => _now().millisecondsSinceEpoch;

  String _newId() => '${_nowMs.toRadixString(36)}-${_ids++}-${_random.nextInt(1 << 32).toRadixString(36)}';
}

List<Map<String, dynamic>> _queue(Map<String, dynamic> doc) => (doc['queue'] as List).cast<Map<String, dynamic>>();

List<String?> _ended(Map<String, dynamic> doc) => (doc['ended'] as List).cast<String?>();

Map<String, dynamic> _refusal(String reason, {bool retrying = false}) =>
    {'ok': false, 'reason': reason, 'retrying': retrying};

Map<String, dynamic> _parse(String? text) {
  try {
    final value = jsonDecode(text ?? '{}');
    return value is Map<String, dynamic> ? value : {};
  } on FormatException {
    return {};
  }
}

/// Says whether two auth tokens are the same; no secret can be told from it.
String _hash(String text) {
  const all = 0xffffffff;
  var (a, b) = (7, 11);
  for (final unit in text.codeUnits) {
    a = ((a ^ unit) * 2654435761) & all;
    b = ((b ^ unit) * 1597334677) & all;
    a ^= a >> 15;
    b ^= b >> 13;
  }
  return a.toRadixString(36) + b.toRadixString(36);
}

/// The platform's own HTTP.
Future<RegistrationReply> sendByHttpClient(RegistrationRequest request, Future<void> cancelled) async {
  final client = HttpClient();
  cancelled.then((_) => client.close(force: true)).ignore();
  try {
    final sending = await client.openUrl(request.method, request.url);
    request.headers.forEach((name, value) => sending.headers.set(name, value));
    final bytes = utf8.encode(request.body ?? '');
    sending.contentLength = bytes.length;
    if (bytes.isNotEmpty) sending.add(bytes);
    final response = await sending.close();
    final body = await utf8.decodeStream(response);
    return RegistrationReply(response.statusCode, response.headers.value('retry-after'), body);
  } finally {
    client.close();
  }
}
