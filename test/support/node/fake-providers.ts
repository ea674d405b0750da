// The example sender's fakes of FCM and APNs: its own tests run against them too.
export * from "../../../examples/sender/dev/fake-providers.ts";
