// A data item of a workflow, as a list of what it says; the item itself stays one click away.
import { makeStyles, tokens } from '@fluentui/react-components';
import { jsonOf, prettyJson } from './format';
import { Preformatted } from './Page';
import { structureOfJson, structureOfXml, type Node, type Structure } from './structure';
import { StructureView } from './StructureView';

const mostFacts = 20;

const useStyles = makeStyles({
  summary: { cursor: 'pointer', fontSize: '12px', color: tokens.colorNeutralForeground2, marginBottom: '4px' },
});

export function DataItem({ text, label }: { text: string; label: string }) {
  const styles = useStyles();
  const structure = structureOf(text);
  const whole = <Preformatted label={label}>{prettyJson(text)}</Preformatted>;
  if (!structure || (structure.facts.length === 0 && structure.tables.length === 0)) return whole;
  return (
    <>
      <StructureView label={label} structure={{ ...structure, facts: structure.facts.filter(([, value]) => value !== '').slice(0, mostFacts) }} />
      <details>
        <summary className={styles.summary}>The whole item</summary>
        {whole}
      </details>
    </>
  );
}

/** Of XML or JSON; undefined where it is neither. */
function structureOf(text: string): Structure | undefined {
  if (!text.trimStart().startsWith('<')) return structureOfJson(jsonOf(text));
  const parsed = new DOMParser().parseFromString(text, 'application/xml');
  return parsed.querySelector('parsererror') ? undefined : structureOfXml(nodeOf(parsed.documentElement));
}

/** Properties go by their names, other elements by theirs. */
function nodeOf(element: Element): Node {
  const children = [...element.children].map(nodeOf);
  return { name: element.getAttribute('Name') ?? element.tagName, text: children.length === 0 ? element.textContent.trim() : '', children };
}
