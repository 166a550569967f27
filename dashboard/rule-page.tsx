// placeholder
export function RulePage({ rule }: { rule: string | null }) {
  return <p>{rule}</p>;
}
