// A data item of a workflow, as a list of what it says; the item itself stays one click away.
import { makeStyles, tokens } from '@fluentui/react-components';
import { prettyJson } from './format';
import { Facts, Preformatted } from './Page';

const mostFacts = 20;

const useStyles = makeStyles({
  summary: { cursor: 'pointer', fontSize: '12px', color: tokens.colorNeutralForeground2, marginBottom: '4px' },
});

export function DataItem({ text, label }: { text: string; label: string }) {
  const styles = useStyles();
  const facts = factsOf(text);
  const whole = <Preformatted label={label}>{prettyJson(text)}</Preformatted>;
  if (facts.length === 0) return whole;
  return (
    <>
      <Facts items={facts} />
      <details>
        <summary className={styles.summary}>The whole item</summary>
        {whole}
      </details>
    </>
  );
}

/** Properties by their names, and elements with nothing but text by theirs; empty where it is no data item. */
function factsOf(text: string): [string, string][] {
  if (!text.trimStart().startsWith('<DataItem')) return [];
  const parsed = new DOMParser().parseFromString(text, 'application/xml');
  if (parsed.querySelector('parsererror')) return [];
  const leaves = [...parsed.documentElement.querySelectorAll('*')].filter((element) => element.childElementCount === 0);
  const facts = leaves.map((leaf): [string, string] => [leaf.getAttribute('Name') ?? leaf.tagName, leaf.textContent.trim()]);
  return facts.filter(([, value]) => value !== '').slice(0, mostFacts);
}
