// The address of a receiver → why it is refused: messages go to public addresses only.
import type { Target } from "../../../schemas/channel.ts";

/** Last parts of names that are no public host. */
const PRIVATE_NAMES = [
  "local",
  "localdomain",
  "internal",
  "intranet",
  "lan",
  "home",
  "corp",
  "private",
  "home.arpa",
];

/** Names of services inside a cloud that have a public form; those that end as PRIVATE_NAMES do are refused by it. */
const CLOUD_NAMES = [
  "metadata.google.com",
  "metadata.tencentyun.com",
  "metadata.packet.net",
  "metadata.platformequinix.com",
];

/** IPv4 ranges that are not public (IANA special-purpose registry). */
const PRIVATE_V4: readonly [first: string, bits: number, what: string][] = [
  ["0.0.0.0", 8, "unspecified"],
  ["10.0.0.0", 8, "private"],
  ["100.100.100.200", 32, "of a cloud's own services"], // metadata of Alibaba Cloud
  ["100.64.0.0", 10, "of a carrier's own network"],
  ["127.0.0.0", 8, "loopback"],
  ["168.63.129.16", 32, "of a cloud's own services"], // the wire server of Azure: public by its range
  ["169.254.0.0", 16, "link-local"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "reserved"], // with 192.0.0.192, metadata of Oracle Cloud
  ["192.0.2.0", 24, "of documents"],
  ["192.88.99.0", 24, "reserved"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "of benchmarks"],
  ["198.51.100.0", 24, "of documents"],
  ["203.0.113.0", 24, "of documents"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved"],
];

/**
 * Returns why nothing is sent to an address, with the remedy; undefined when messages may be sent to it. Names are
 * judged by what they are, not by what they resolve to. `allowLoopback` is for a local run, whose receivers are on
 * the same machine.
 * @example refusalOf("http://169.254.169.254/latest", false) // 'the address 169.254.169.254 is link-local; …'
 */
export function refusalOf(address: string, allowLoopback: boolean): string | undefined {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return "not a URL; give an absolute address like https://example.com/hook";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return `the scheme ${url.protocol} is not sent to; give an http or https address`;
  if (url.username !== "" || url.password !== "")
    return "an address does not carry a user or password; give the receiver's token in its own field";
  const what = kindOf(url.hostname);
  if (what === undefined || (allowLoopback && what === "loopback")) return undefined;
  return `the address ${url.hostname} is ${what}; give one that is reachable from the internet`;
}

/** What is secret of each kind of target; whoever knows the address of a Slack or Teams channel may write to it. */
export const SECRET_FIELDS: Record<Target["type"], readonly string[]> = {
  webhook: ["secret"],
  slack: ["url"],
  pagerduty: ["routingKey"],
  opsgenie: ["apiKey"],
  teams: ["url"],
  email: ["token"],
  alertmanager: ["token"],
};

/**
 * Returns why nothing is sent to a target: its address is refused (refusalOf), or it has a secret and its address no
 * encryption, but for loopback in a local run; undefined when messages may be sent to it.
 */
export function refusalOfTarget(target: Target, allowLoopback: boolean): string | undefined {
  const refusal = refusalOf(target.url, allowLoopback);
  if (refusal !== undefined) return refusal;
  const { protocol, hostname, origin } = new URL(target.url);
  if (protocol === "https:" || kindOf(hostname) === "loopback") return undefined;
  const secret = SECRET_FIELDS[target.type].find((name) => name in target);
  if (secret === undefined) return undefined;
  return `${origin} has no encryption, and the target's ${secret} is a secret; give an https address`;
}

/**
 * What kind of address a host that is not public is; undefined when it is public. The URL parser has brought IPv4
 * addresses of every form into the dotted one.
 */
function kindOf(hostname: string): string | undefined {
  if (hostname.startsWith("[")) return kindOfV6(groupsOf(hostname.slice(1, -1)));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(hostname)) return kindOfV4(numberOf(hostname));
  const name = hostname.replace(/\.+$/, "").toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return "loopback";
  if (!name.includes(".")) return "a name of a private network";
  if (CLOUD_NAMES.some((own) => name === own || name.endsWith(`.${own}`))) return "of a cloud's own services";
  if (PRIVATE_NAMES.some((own) => name.endsWith(`.${own}`))) return "a name of a private network";
  return undefined;
}

const numberOf = (dotted: string) => dotted.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);

function kindOfV4(address: number): string | undefined {
  return PRIVATE_V4.find(([first, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor(numberOf(first) / size);
  })?.[2];
}

/** The eight groups of an address as the URL parser writes it: hexadecimal, `::` once at most. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  return tail === undefined
    ? before
    : [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
}

function kindOfV6(groups: readonly number[]): string | undefined {
  const [g0 = 0, g1 = 0] = groups;
  const v4At = (index: number) => kindOfV4(groups[index]! * 65_536 + groups[index + 1]!);
  const leads = (...wanted: number[]) => wanted.every((group, i) => groups[i] === group);
  if (leads(0, 0, 0, 0, 0, 0, 0, 1)) return "loopback";
  if (leads(0, 0, 0, 0, 0, 0xffff) || leads(0, 0, 0, 0, 0, 0)) return v4At(6); // IPv4 in IPv6
  if (leads(0x64, 0xff9b, 0, 0, 0, 0) || leads(0, 0, 0, 0, 0xffff, 0)) return v4At(6); // translated to IPv4
  if (leads(0x64, 0xff9b)) return "private";
  if (g0 === 0x2002) return v4At(1); // 6to4
  if (g0 === 0x2001 && g1 === 0) return "a tunnel"; // Teredo: the IPv4 address is masked
  if (leads(0x100, 0, 0, 0)) return "reserved";
  if ((g0 & 0xfe00) === 0xfc00) return "private"; // with fd00:ec2::254 and fd20:ce::254, metadata of AWS and Google
  if (g0 === 0x2001 && g1 === 0xdb8) return "of documents";
  if ((g0 & 0xffc0) === 0xfe80) return "link-local";
  if ((g0 & 0xffc0) === 0xfec0) return "private";
  if ((g0 & 0xff00) === 0xff00) return "multicast";
  return undefined;
}
