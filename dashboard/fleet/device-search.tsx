// What is typed of a device's name or id → the devices that have it in them, one of which is opened.
import { useEffect, useState } from "preact/hooks";
import type { DeviceList } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { deviceLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";

const SUGGESTIONS_MAX = 8;
/** Long enough to type the next letter. */
const PAUSE_MS = 200;
const REREAD_EVERY_MS = 10 * 60_000;
/** As the API takes it. */
const TEXT_CHARACTERS_MAX = 200;

/** `text`: what the field has at first. */
export function DeviceSearch({ text: first = "" }: { text?: string }) {
  const api = useApi();
  const [text, setText] = useState(first);
  const [isOpen, setOpen] = useState(first !== "");
  const [isWanted, setWanted] = useState(false);
  const asked = useLater(text.trim(), PAUSE_MS);
  const path = `/v1/devices?${new URLSearchParams({ search: asked, limit: String(SUGGESTIONS_MAX + 1) })}`;
  const { answer, error } = useAnswer(
    asked === "" ? null : path,
    (signal) => api.get<DeviceList>(path, signal),
    REREAD_EVERY_MS,
  );
  const isCurrent = asked === text.trim() && asked !== "";
  const found = isCurrent ? answer?.devices : undefined;
  const shown = found?.slice(0, SUGGESTIONS_MAX) ?? [];
  const open = (device: string) => {
    setOpen(false);
    location.hash = deviceLink(device);
  };
  // Enter was pressed before the answer came
  useEffect(() => {
    if (!isWanted || found === undefined) return;
    setWanted(false);
    const [match] = shown.filter(({ device, name }) => [device, name].includes(asked));
    const only = match ?? (shown.length === 1 ? shown[0] : undefined);
    if (only !== undefined) open(only.device);
  }, [isWanted, found]);
  return (
    <form
      class="device-search"
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOpen(false);
      }}
      onSubmit={(event) => {
        event.preventDefault();
        setOpen(true);
        setWanted(text.trim() !== "");
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") setOpen(false);
        else if (!moveFocus(event.currentTarget, STEPS[event.key] ?? 0)) return;
        event.preventDefault();
      }}
    >
      <input
        type="search"
        placeholder="Find a device by name or id"
        aria-label="Find a device by name or id"
        autocomplete="off"
        spellcheck={false}
        maxLength={TEXT_CHARACTERS_MAX}
        value={text}
        onFocus={() => setOpen(true)}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setWanted(false);
          setOpen(true);
        }}
      />
      {isOpen && isCurrent && (
        <div class="suggestions" data-testid="suggestions" aria-live="polite">
          {error && <p>{error.message}</p>}
          {found?.length === 0 && <p>No device has “{asked}” in its name or id.</p>}
          <ul aria-label="Devices found">
            {shown.map(({ device, name, zone }) => (
              <li key={device}>
                <a href={deviceLink(device)} onClick={() => setOpen(false)}>
                  <b>{name ?? device}</b>
                  <small>{[...(name && name !== device ? [device] : []), zone].join(" · ")}</small>
                </a>
              </li>
            ))}
          </ul>
          {(found?.length ?? 0) > SUGGESTIONS_MAX && <p>And more: type on.</p>}
        </div>
      )}
    </form>
  );
}

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };

/** From the field to the first device found, and on from one to the next. */
function moveFocus(form: HTMLElement, step: number): boolean {
  const stops = [...form.querySelectorAll<HTMLElement>("input, a")];
  const next = step === 0 ? undefined : stops[stops.indexOf(document.activeElement as HTMLElement) + step];
  next?.focus();
  return next !== undefined;
}

/** The value once it has not changed for a while. */
function useLater<Value>(value: Value, pauseMs: number): Value {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value, pauseMs]);
  return later;
}
