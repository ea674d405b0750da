// Plays the scenarios of clients/vectors with push_token_registration.dart: dart run vectors.dart ../vectors/*.json
// Not compiled here.
import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:math';

import 'push_token_registration.dart';

const _registry = 'https://registry.example';
const _key = 'push-token-registry:acme';

/// Says each time what the scenario says; ids are made of it too, and of a count and the clock.
class _Chance implements Random {
  _Chance(this.value);
  final double value;
  @override
  double nextDouble() => value;
  @override
  int nextInt(int max) => (value * max).floor();
  @override
  bool nextBool() => value < 0.5;
}

class _FakeTimer implements Timer {
  _FakeTimer(this.due, this.fire);
  final int due;
  final void Function() fire;
  @override
  bool isActive = true;
  @override
  int get tick => 0;
  @override
  void cancel() => isActive = false;
}

/// A device on which the app is started, used and closed.
class _Device {
  _Device(this.scenario) : stored = scenario['stored'] as String?;

  final Map<String, dynamic> scenario;
  int now = 1767225600000;
  int skew = 0;
  String? authToken;
  String? stored;
  List<dynamic> answers = [];
  List<Map<String, dynamic>> sent = [];
  Map<String, dynamic> results = {};
  _App? app;

  Future<void> play(Map<String, dynamic> step) async {
    if (step.containsKey('authToken')) authToken = step['authToken'] as String?;
    answers = [for (final request in step['requests'] as List) request['answer']];
    sent = [];
    results = {};
    final name = step['as'] as String? ?? 'result';
    final before = app;
    void keep(Future<RegistrationResult> call) {
      call.then((result) {
        if (identical(app, before)) results[name] = result.json;
      });
    }

    switch (step['do'] as String) {
      case 'start':
        before?.close();
        app = _App(this)..start();
      case 'register':
        before!.run((client) => keep(client.register(_wanted(step['wanted'] as Map<String, dynamic>))));
      case 'refresh':
        before!.run((client) => keep(client.refresh()));
      case 'logout':
        before!.run((client) => keep(client.logout()));
      case 'online':
        before!.run((client) => client.networkIsBack());
      case 'clock':
        skew += step['ms'] as int;
    }
    await app!.pass(step['do'] == 'wait' ? step['ms'] as int : 0);
  }
}

/// One start of the app, in a zone whose timers are this clock's.
class _App implements RegistrationStorage {
  _App(this.device);

  final _Device device;
  final timers = <_FakeTimer>[];
  bool isOpen = true;
  late final Zone zone;
  late final PushTokenRegistration client;

  void start() {
    zone = Zone.current.fork(
      specification: ZoneSpecification(
        createTimer: (self, parent, zone, duration, fire) {
          final timer = _FakeTimer(device.now + duration.inMilliseconds, () => zone.run(fire));
          timers.add(timer);
          return timer;
        },
      ),
    );
    zone.run(() {
      client = PushTokenRegistration(
        url: '$_registry/',
        appId: 'acme',
        getAuthToken: () => device.authToken,
        storage: device.scenario['storage'] == 'none' ? null : this,
        send: send,
        now: () => DateTime.fromMillisecondsSinceEpoch(device.now + device.skew),
        random: _Chance((device.scenario['random'] as num? ?? 0.5).toDouble()),
      );
    });
  }

  void run(void Function(PushTokenRegistration client) call) => zone.run(() => call(client));

  void close() {
    isOpen = false;
    for (final timer in timers) {
      timer.cancel();
    }
  }

  Future<void> pass(int ms) async {
    final end = device.now + ms;
    for (;;) {
      await quiet();
      timers.removeWhere((timer) => !timer.isActive);
      final due = timers.where((timer) => timer.due <= end).toList()..sort((a, b) => a.due - b.due);
      if (due.isEmpty) break;
      device.now = max(device.now, due.first.due);
      due.first.cancel();
      due.first.fire();
    }
    device.now = end;
  }

  /// All work here is microtasks: they are done before a timer of the outer zone fires.
  Future<void> quiet() => Future<void>.delayed(Duration.zero);

  void refuse() {
    if (device.scenario['storage'] == 'refuses') throw const FileSystemException('refused');
  }

  @override
  String? getItem(String key) {
    refuse();
    return key == _key ? device.stored : null;
  }

  @override
  void setItem(String key, String text) {
    refuse();
    if (isOpen && key == _key) device.stored = text;
  }

  Future<RegistrationReply> send(RegistrationRequest request, Future<void> cancelled) {
    if (!isOpen) return Completer<RegistrationReply>().future;
    final authToken = request.headers['authToken'];
    if ((request.headers['appId'] == 'acme') != (authToken != null)) throw StateError('appId goes with authToken');
    final body = request.body;
    device.sent.add({
      'method': request.method,
      'path': '${request.url}'.substring(_registry.length),
      'authToken': authToken,
      'body': body != null && body.startsWith('{') ? jsonDecode(body) : body,
    });
    final answer = device.answers.isEmpty ? 'none' : device.answers.removeAt(0);
    if (answer == 'network') return Future.error(const SocketException('no network'));
    if (answer == 'none') return Completer<RegistrationReply>().future;
    final reply = answer['body'];
    return Future.value(RegistrationReply(
      answer['status'] as int,
      answer['retryAfter'] as String?,
      reply is String ? reply : jsonEncode(reply),
    ));
  }
}

Wanted _wanted(Map<String, dynamic> json) => Wanted(
      fcmToken: json['fcmToken'] as String?,
      apnsToken: json['apnsToken'] as String?,
      voipToken: json['voipToken'] as String?,
      platform: json['platform'] as String?,
      providerId: json['providerId'] as String?,
      timezone: json['timezone'] as String?,
      device: (json['device'] as Map<String, dynamic>? ?? {}).cast<String, String?>(),
    );

/// What [actual] lacks of [expected]; fields that it does not name may be anything, `null` is absent.
List<String> _differences(dynamic expected, dynamic actual, String path) {
  if (expected is Map && actual is Map) {
    return [for (final name in expected.keys) ..._differences(expected[name], actual[name], '$path.$name')];
  }
  if (expected is List && actual is List && expected.length == actual.length) {
    return [for (var n = 0; n < expected.length; n++) ..._differences(expected[n], actual[n], '$path[$n]')];
  }
  if (expected == actual) return [];
  return ['$path: ${jsonEncode(actual)} should be ${jsonEncode(expected)}'];
}

Future<List<String>> _faults(Map<String, dynamic> scenario) async {
  final device = _Device(scenario);
  for (final (n, step) in (scenario['steps'] as List).cast<Map<String, dynamic>>().indexed) {
    await device.play(step);
    final requests = [
      for (final request in (step['requests'] as List).cast<Map<String, dynamic>>()) {...request}..remove('answer'),
    ];
    final results = {
      ...?step['results'] as Map<String, dynamic>?,
      if (step.containsKey('result')) 'result': step['result'],
    };
    final isStored = step.containsKey('stored') && !scenario.containsKey('storage');
    final stored = device.stored;
    final found = [
      ..._differences(requests, device.sent, 'requests'),
      ..._differences(results, device.results, 'results'),
      for (final name in device.results.keys)
        if (name != 'result' && !results.containsKey(name)) '$name ended',
      if (isStored) ..._differences(step['stored'], stored == null ? null : jsonDecode(stored), 'stored'),
    ];
    if (found.isNotEmpty) return [for (final fault in found) 'step ${n + 1} (${step['do']}): $fault'];
  }
  return [];
}

Future<void> main(List<String> files) async {
  var played = 0;
  var failed = 0;
  for (final file in files) {
    for (final scenario in (jsonDecode(await File(file).readAsString()) as List).cast<Map<String, dynamic>>()) {
      played++;
      final found = await _faults(scenario);
      if (found.isEmpty) continue;
      failed++;
      stdout.writeln('$file: ${scenario['name']}\n  ${found.join('\n  ')}');
    }
  }
  stdout.writeln('$played scenarios, $failed failed');
  exitCode = failed == 0 && played > 0 ? 0 : 1;
}
