import { describe, expect, it } from "vitest";
import { refusalOf, refusalOfTarget } from "./target.ts";

it.each([
  ["https://168.63.129.16/machine"],
  ["http://168.63.129.16:32526/vmSettings"],
  ["http://2822734096/"], // 168.63.129.16
  ["https://[::ffff:168.63.129.16]/"],
  ["http://100.100.100.200/latest"],
  ["http://192.0.0.192/opc/v2"],
  ["http://[fd00:ec2::254]/latest"],
  ["http://[fd20:ce::254]/"],
  ["http://metadata.google.internal/computeMetadata"],
  ["http://metadata/"],
  ["http://metadata.google.internal./"],
  ["http://metadata.tencentyun.com/"],
  ["https://METADATA.tencentyun.com./"],
  ["http://metadata.platformequinix.com/"],
  ["http://192.0.2.1/"],
  ["http://198.51.100.9/"],
  ["http://203.0.113.9/"],
  ["http://[2001:db8::1]/"],
])("[A70] %s is a service of the cloud itself, or nobody's: nothing is sent to it", (address) => {
  for (const isLocal of [false, true])
    expect(refusalOf(address, isLocal)).toMatch(/ is (of|a|private|reserved)/);
});

it.each([
  [{ type: "webhook", url: "http://example.com/hook", secret: "s" }, /secret/],
  [{ type: "slack", url: "http://example.com/T/B/x" }, /url/],
  [{ type: "teams", url: "http://example.com/x" }, /url/],
  [{ type: "alertmanager", url: "http://example.com/", token: "t" }, /token/],
  [{ type: "email", url: "http://example.com/", token: "t" }, /token/],
  [{ type: "pagerduty", url: "http://example.com/", routingKey: "k" }, /routingKey/],
  [{ type: "opsgenie", url: "http://example.com/", apiKey: "k" }, /apiKey/],
] as const)("[A71] what is secret goes to no address without encryption: %j", (target, name) => {
  const of = (url: string) => ({ ...target, url }) as unknown as Parameters<typeof refusalOfTarget>[0];
  expect(refusalOfTarget(of(target.url), false)).toMatch(name);
  expect(refusalOfTarget(of(target.url), true)).toMatch(name);
  expect(refusalOfTarget(of("https://example.com/x"), false)).toBeUndefined();
  expect(refusalOfTarget(of("http://127.0.0.1:9/x"), true)).toBeUndefined();
  expect(refusalOfTarget(of("http://127.0.0.1:9/x"), false)).toMatch(/loopback/);
});

it("[A71] a target without a secret may be reached without encryption", () => {
  expect(refusalOfTarget({ type: "webhook", url: "http://example.com/hook" }, false)).toBeUndefined();
});

describe("addresses nothing is sent to", () => {
  it.each([
    ["https://hooks.slack.com/services/T0/B0/x"],
    ["http://example.com:8080/hook?x=1"],
    ["https://93.184.216.34/"],
    ["https://172.15.255.255/"],
    ["https://172.32.0.0/"],
    ["https://100.63.255.255/"],
    ["https://100.128.0.0/"],
    ["https://169.253.255.255/"],
    ["https://[2606:2800:220:1:248:1893:25c8:1946]/"],
    ["https://[::ffff:93.184.216.34]/"],
    ["https://localhost.example.com/"],
    ["https://internal.example.com/"],
    ["https://10.0.0.1.example.com/"],
  ])("[A35] %s is public", (address) => {
    expect(refusalOf(address, false)).toBeUndefined();
  });

  it.each([
    ["http://127.0.0.1:9093/", "loopback"],
    ["http://127.255.0.1/", "loopback"],
    ["http://localhost/", "loopback"],
    ["http://LOCALHOST./", "loopback"],
    ["http://app.localhost/", "loopback"],
    ["http://[::1]/", "loopback"],
    ["http://[0:0:0:0:0:0:0:1]/", "loopback"],
    ["http://[::ffff:127.0.0.1]/", "loopback"],
    ["http://2130706433/", "loopback"],
    ["http://0x7f000001/", "loopback"],
    ["http://0177.0.0.1/", "loopback"],
    ["http://127.1/", "loopback"],
    ["http://0x7f.1/", "loopback"],
    ["http://１２７.0.0.1/", "loopback"],
  ])("[A35] %s is loopback: for local runs only", (address, what) => {
    expect(refusalOf(address, false)).toContain(what);
    expect(refusalOf(address, true)).toBeUndefined();
  });

  it.each([
    ["http://10.1.2.3/", "private"],
    ["http://172.16.0.1/", "private"],
    ["http://172.31.255.255/", "private"],
    ["http://192.168.0.1/", "private"],
    ["http://3232235521/", "private"], // 192.168.0.1
    ["http://100.64.0.1/", "carrier"],
    ["http://100.127.255.255/", "carrier"],
    ["http://169.254.169.254/latest/meta-data", "link-local"],
    ["http://0xA9FEA9FE/", "link-local"],
    ["http://0.0.0.0/", "unspecified"],
    ["http://0/", "unspecified"],
    ["http://224.0.0.1/", "multicast"],
    ["http://255.255.255.255/", "reserved"],
    ["http://198.18.0.1/", "benchmarks"],
    ["http://[::]/", "unspecified"],
    ["http://[fc00::1]/", "private"],
    ["http://[fdff::1]/", "private"],
    ["http://[fe80::1]/", "link-local"],
    ["http://[febf::1]/", "link-local"],
    ["http://[fec0::1]/", "private"],
    ["http://[ff02::1]/", "multicast"],
    ["http://[::ffff:10.0.0.1]/", "private"],
    ["http://[::ffff:a9fe:a9fe]/", "link-local"],
    ["http://[::10.0.0.1]/", "private"],
    ["http://[64:ff9b::10.0.0.1]/", "private"],
    ["http://[::ffff:0:10.0.0.1]/", "private"],
    ["http://[2002:a00:1::]/", "private"],
    ["http://[2001::1]/", "tunnel"],
    ["http://[fd00:ec2::254]/", "private"],
    ["http://metadata.google.internal/", "private network"],
    ["http://printer.local/", "private network"],
    ["http://nas.home.arpa./", "private network"],
    ["http://db/", "private network"],
    ["http://router.lan/", "private network"],
  ])("[A35] %s is refused, in a local run too", (address, what) => {
    expect(refusalOf(address, false)).toContain(what);
    expect(refusalOf(address, true)).toContain(what);
  });

  it.each([
    ["ftp://example.com/", "scheme"],
    ["file:///etc/passwd", "scheme"],
    ["javascript:alert(1)", "scheme"],
    ["https://user:pass@example.com/", "user or password"],
    ["https://user@example.com/", "user or password"],
    ["example.com/hook", "not a URL"],
    ["", "not a URL"],
  ])("[A35] %s is none we speak to", (address, why) => {
    expect(refusalOf(address, true)).toContain(why);
  });
});
