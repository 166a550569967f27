// The stations of the demo: where they stand, approximately, and what they are called.

export interface Station {
  device: string;
  zone: "city" | "suburb" | "hills";
  name: string;
  latitude: number;
  longitude: number;
}

/** The dataset has no instrument names; this says what kind of device it is. */
export const STATION_MODEL = "air-station-11";

/** Positions to some hundred metres, from public maps. In this order stations alternate between socket and gateway. */
export const STATIONS: readonly Station[] = [
  {
    device: "Aotizhongxin",
    zone: "city",
    name: "Olympic Sports Centre",
    latitude: 39.982,
    longitude: 116.397,
  },
  { device: "Dongsi", zone: "city", name: "Dongsi", latitude: 39.929, longitude: 116.417 },
  { device: "Guanyuan", zone: "city", name: "Guanyuan Park", latitude: 39.929, longitude: 116.339 },
  { device: "Nongzhanguan", zone: "city", name: "Exhibition Hall", latitude: 39.937, longitude: 116.461 },
  { device: "Tiantan", zone: "city", name: "Temple of Heaven", latitude: 39.886, longitude: 116.407 },
  {
    device: "Wanshouxigong",
    zone: "city",
    name: "Wanshou West Palace",
    latitude: 39.878,
    longitude: 116.352,
  },
  { device: "Gucheng", zone: "suburb", name: "Gucheng", latitude: 39.914, longitude: 116.184 },
  { device: "Shunyi", zone: "suburb", name: "Shunyi", latitude: 40.127, longitude: 116.655 },
  { device: "Wanliu", zone: "suburb", name: "Wanliu", latitude: 39.987, longitude: 116.287 },
  { device: "Changping", zone: "hills", name: "Changping", latitude: 40.217, longitude: 116.23 },
  { device: "Dingling", zone: "hills", name: "Ming Tombs", latitude: 40.292, longitude: 116.22 },
  { device: "Huairou", zone: "hills", name: "Huairou", latitude: 40.328, longitude: 116.628 },
];
