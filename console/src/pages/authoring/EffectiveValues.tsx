// Properties and parameters of an element as they are for an object, where each comes from, and changing them there.
import { Badge, Caption1, makeStyles, tokens } from '@fluentui/react-components';
import { DeleteRegular, EditRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type OverrideItem, type SettingValue } from '../../api/management';
import { ActionButton } from '../../components/May';
import { ErrorState, LoadingState } from '../../components/States';
import { ChangeOverrideDialog } from './ChangeOverrideDialog';
import { OverrideDialog } from './OverrideDialog';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column' },
  row: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) auto', gap: '0 8px', padding: '6px 0', borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  name: { fontWeight: 600, fontSize: '13px', overflowWrap: 'anywhere' },
  value: { overflowWrap: 'anywhere', fontSize: '13px' },
  muted: { color: tokens.colorNeutralForeground2 },
  buttons: { display: 'flex', gap: '2px', alignItems: 'center', gridRow: '1 / span 2', gridColumn: 2 },
});

export function EffectiveValues({ element, object, objectName }: { element: string; object: string; objectName: string }) {
  const styles = useStyles();
  const values = useGroup<SettingValue[]>(`/api/objects/${segment(object)}/overrides?element=${segment(element)}`);
  const own = useGroup<OverrideItem[]>('/api/overrides');
  const [making, setMaking] = useState<SettingValue>();
  const [changing, setChanging] = useState<OverrideItem>();
  const remove = useAction((id: string) => request(`/api/overrides/${segment(id)}`, { method: 'DELETE' }));
  if (values.isPending) return <LoadingState label="Reading the values" />;
  if (values.isError) return <ErrorState error={values.error} retry={() => void values.refetch()} />;
  return (
    <>
      {remove.isError && <ErrorState error={remove.error} />}
      <ul className={styles.list} aria-label="Effective values">
        {values.data.map((value) => {
          const from = own.data?.find((one) => one.id === value.override);
          return (
            <li key={`${value.kind}/${value.module}/${value.name}`} className={styles.row}>
              <div><span className={styles.name}>{value.name}</span>{value.module && <Caption1 className={styles.muted}> of {value.module}</Caption1>} {value.isTie && <Badge appearance="tint" color="warning">tie</Badge>}</div>
              <div className={styles.buttons}>
                {from && <ActionButton needs="Watchkeeper/managementGroups/overrides/delete" size="small" appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove the override of ${value.name}`} disabledFocusable={remove.isPending} onClick={() => remove.mutate(from.id)} />}
                {from?.object === object
                  ? <ActionButton needs="Watchkeeper/managementGroups/overrides/write" size="small" appearance="subtle" icon={<EditRegular />} aria-label={`Change the override of ${value.name}`} onClick={() => setChanging(from)} />
                  : <ActionButton needs="Watchkeeper/managementGroups/overrides/write" size="small" appearance="subtle" icon={<EditRegular />} aria-label={`Override ${value.name}`} onClick={() => setMaking(value)} />}
              </div>
              <div className={styles.value}>
                {(value.value ?? '').trim() === '' ? <span className={styles.muted}>not set</span> : (value.value ?? '').length > 160 ? `${(value.value ?? '').slice(0, 160)}…` : value.value}
                <Caption1 block className={styles.muted}>
                  {value.override === null ? 'default of the pack' : `${from?.enforced ? 'enforced ' : ''}override for the ${value.scope ?? ''} ${value.scopeName ?? ''}${from ? ` by ${from.changedBy}` : ` in ${value.override}`}; default ${value.default ?? 'not set'}${value.loses.length > 0 ? `; beats ${value.loses.length} other` : ''}`}
                </Caption1>
              </div>
            </li>
          );
        })}
      </ul>
      {making && <OverrideDialog element={element} setting={making} object={{ id: object, name: objectName }} onDone={() => setMaking(undefined)} />}
      {changing && <ChangeOverrideDialog override={changing} onDone={() => setChanging(undefined)} />}
    </>
  );
}
