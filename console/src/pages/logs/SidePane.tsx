// Beside the editor: the schema with a search, saved queries and functions, and history.
import { Button, makeStyles, SearchBox, Tab, TabList, Text, tokens, Tooltip, Tree, TreeItem, TreeItemLayout } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, MathFormulaRegular, TableRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import { useMetadata, type MetadataTable } from '../../api/logs';
import { useDeleteQuery, useSavedQueries } from '../../api/savedQueries';
import { ActionButton } from '../../components/May';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import type { HistoryItem } from './tabs';

const useStyles = makeStyles({
  pane: { display: 'flex', flexDirection: 'column', height: '100%', minHeight: 0, borderRight: `1px solid ${tokens.colorNeutralStroke2}`, backgroundColor: tokens.colorNeutralBackground1 },
  search: { margin: '4px 10px 8px', maxWidth: 'none' },
  scroll: { flex: 1, overflow: 'auto', minHeight: 0, padding: '0 4px 12px' },
  type: { color: tokens.colorNeutralForeground3, fontSize: '12px' },
  item: { display: 'flex', alignItems: 'flex-start', gap: '2px' },
  open: { flex: 1, minWidth: 0, display: 'block', textAlign: 'left', fontWeight: 'normal', padding: '6px 8px' },
  code: { display: 'block', fontFamily: tokens.fontFamilyMonospace, fontSize: '12px', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', color: tokens.colorNeutralForeground2 },
});

interface SidePaneProps {
  history: HistoryItem[];
  onInsert: (text: string) => void;
  onOpenQuery: (query: string, about?: { title?: string; timespan?: string; savedId?: string }) => void;
}

export function SidePane(props: SidePaneProps) {
  const styles = useStyles();
  const [shown, setShown] = useState('tables');
  const [search, setSearch] = useState('');
  return (
    <aside className={styles.pane} aria-label="Schema and queries">
      <TabList size="small" selectedValue={shown} onTabSelect={(_event, data) => setShown(String(data.value))}>
        <Tab value="tables">Tables</Tab>
        <Tab value="queries">Queries</Tab>
        <Tab value="history">History</Tab>
      </TabList>
      <SearchBox className={styles.search} size="small" placeholder="Search" aria-label="Search tables, columns and queries" value={search} onChange={(_event, data) => setSearch(data.value)} />
      <div className={styles.scroll}>
        {shown === 'tables' && <Schema search={search.toLowerCase()} {...props} />}
        {shown === 'queries' && <Saved search={search.toLowerCase()} {...props} />}
        {shown === 'history' && <Past search={search.toLowerCase()} {...props} />}
      </div>
    </aside>
  );
}

interface PartProps extends SidePaneProps {
  search: string;
}

function matches(table: MetadataTable, search: string): boolean {
  return search === '' || table.name.toLowerCase().includes(search) || table.columns.some((column) => column.name.toLowerCase().includes(search));
}

function Schema({ search, onInsert, onOpenQuery }: PartProps) {
  const styles = useStyles();
  const metadata = useMetadata();
  const tables = useMemo(() => (metadata.data?.tables ?? []).filter((table) => matches(table, search)), [metadata.data, search]);
  const functions = (metadata.data?.functions ?? []).filter((fn) => fn.name.toLowerCase().includes(search));
  if (metadata.isPending) return <LoadingState label="Reading the schema" />;
  if (metadata.isError) return <ErrorState error={metadata.error} retry={() => void metadata.refetch()} />;
  if (tables.length === 0 && functions.length === 0) {
    return <EmptyState title={search ? 'No match' : 'No tables yet'} hint={search ? 'No table, column or function has this in its name.' : 'Tables appear with the first record that arrives. Connect an agent to begin.'} />;
  }
  return (
    <Tree aria-label="Tables and functions" size="small">
      {tables.map((table) => (
        <TreeItem key={table.name} itemType="branch" value={table.name}>
          <TreeItemLayout
            iconBefore={<TableRegular />}
            actions={
              <Tooltip content="Show ten rows" relationship="label">
                <Button size="small" appearance="subtle" icon={<AddRegular />} onClick={() => onOpenQuery(`${table.name}\n| take 10`, { title: table.name })} />
              </Tooltip>
            }
          >
            {table.name}
          </TreeItemLayout>
          <Tree>
            {table.columns.map((column) => (
              <TreeItem key={column.name} itemType="leaf" value={`${table.name}.${column.name}`} onClick={() => onInsert(column.name)} onKeyDown={(event) => event.key === 'Enter' && onInsert(column.name)}>
                <TreeItemLayout aside={<span className={styles.type}>{column.type}</span>}>{column.name}</TreeItemLayout>
              </TreeItem>
            ))}
          </Tree>
        </TreeItem>
      ))}
      {functions.length > 0 && (
        <TreeItem itemType="branch" value="functions()">
          <TreeItemLayout iconBefore={<MathFormulaRegular />}>Functions</TreeItemLayout>
          <Tree>
            {functions.map((fn) => (
              <TreeItem key={fn.name} itemType="leaf" value={`fn:${fn.name}`} onClick={() => onInsert(`${fn.name}()`)} onKeyDown={(event) => event.key === 'Enter' && onInsert(`${fn.name}()`)}>
                <TreeItemLayout>{fn.name}({fn.parameters ?? ''})</TreeItemLayout>
              </TreeItem>
            ))}
          </Tree>
        </TreeItem>
      )}
    </Tree>
  );
}

function Saved({ search, onOpenQuery }: PartProps) {
  const styles = useStyles();
  const saved = useSavedQueries();
  const remove = useDeleteQuery();
  if (saved.isPending) return <LoadingState label="Reading saved queries" />;
  if (saved.isError) return <ErrorState error={saved.error} retry={() => void saved.refetch()} />;
  const shown = saved.data.filter((one) => `${one.name} ${one.category} ${one.query}`.toLowerCase().includes(search));
  if (shown.length === 0) {
    return <EmptyState title={search ? 'No match' : 'No saved queries'} hint="Write a query and choose Save to keep it for everyone in this workspace, also as a function." />;
  }
  return (
    <>
      {remove.isError && <ErrorState error={remove.error} />}
      {shown.map((one) => (
        <div key={one.id} className={styles.item}>
          <Button appearance="subtle" className={styles.open} onClick={() => onOpenQuery(one.query, { title: one.name, savedId: one.id })}>
            <Text weight="semibold" block truncate>{one.functionAlias ? `ƒ ${one.functionAlias}(${one.functionParameters ?? ''})` : one.name}</Text>
            <span className={styles.code}>{one.category ? `${one.category} · ` : ''}{one.query.replace(/\s+/g, ' ')}</span>
          </Button>
          <ActionButton needs="Microsoft.OperationalInsights/workspaces/savedSearches/delete" size="small" appearance="subtle" icon={<DeleteRegular />} aria-label={`Delete ${one.name}`} onClick={() => remove.mutate(one.id)} />
        </div>
      ))}
    </>
  );
}

function Past({ search, history, onOpenQuery }: PartProps) {
  const styles = useStyles();
  const shown = history.filter((one) => one.query.toLowerCase().includes(search));
  if (shown.length === 0) return <EmptyState title={search ? 'No match' : 'No queries yet'} hint="Queries that you run are listed here, in this browser only." />;
  return (
    <>
      {shown.map((one) => (
        <Button key={one.at} appearance="subtle" className={styles.open} onClick={() => onOpenQuery(one.query, { timespan: one.timespan })}>
          <span className={styles.code}>{one.query.replace(/\s+/g, ' ')}</span>
          <span className={styles.type}>
            {new Date(one.at).toLocaleTimeString()} · {one.rows === undefined ? 'failed' : `${one.rows.toLocaleString()} rows`} · {(one.milliseconds / 1000).toFixed(2)} s
          </span>
        </Button>
      ))}
    </>
  );
}
