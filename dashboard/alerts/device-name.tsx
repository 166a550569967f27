// A device as people know it: its name, and its id second; one without a name is its id.
import { createContext } from "preact";
import { useContext } from "preact/hooks";

/** What people call the devices that the page is about, by id. */
export const NamesContext = createContext<Readonly<Record<string, string>>>({});

export function DeviceName({ device, name }: { device: string; name?: string | null }) {
  const known = useContext(NamesContext);
  const called = name ?? known[device];
  if (called === undefined || called === device) return <>{device}</>;
  return (
    <>
      {called} <small class="device-id">{device}</small>
    </>
  );
}
