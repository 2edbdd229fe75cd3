// Enrolment tokens: with which new agents and gateways join, with the command line for the new machine.
import { Field, Input, makeStyles, Select, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, TicketDiagonalRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import type { EnrolmentToken, NewEnrolmentToken } from '../../api/administration';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { ShownOnce } from '../../components/ShownOnce';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({
  muted: { color: tokens.colorNeutralForeground2 },
});

const time = (text: string | null | undefined) => (text ? formatCell(text, 'datetime').slice(0, 16) : '');

const columns: ColDef<EnrolmentToken>[] = [
  { field: 'id', headerName: 'Token', width: 150 },
  { field: 'description', headerName: 'For', flex: 3, minWidth: 160 },
  { field: 'createdAt', headerName: 'Made (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => time(value as string | null), initialSort: 'desc' },
  { field: 'expiresAt', headerName: 'Ends (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => time(value as string | null) || 'never' },
  { field: 'usesLeft', headerName: 'Uses left', width: 120, filter: false, valueFormatter: ({ value }) => (value === null || value === undefined ? 'any number' : value === 0 ? 'used up' : String(value)) },
];

export function EnrolmentTab() {
  const all = useGroup<EnrolmentToken[]>('/api/enrolment-tokens', 15);
  const [selected, setSelected] = useState<EnrolmentToken[]>([]);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState(false);
  const [made, setMade] = useState<NewEnrolmentToken>();
  const revoke = useAction(async () => {
    setRevoking(false);
    for (const token of selected) await request(`/api/enrolment-tokens/${segment(token.id)}`, { method: 'DELETE' });
  });
  return (
    <>
      <Toolbar label="Enrolment tokens">
        <ActionButton needs="Watchkeeper/managementGroups/enrolmentTokens/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setCreating(true)}>Create token…</ActionButton>
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/enrolmentTokens/delete" size="small" icon={<DeleteRegular />} disabledFocusable={selected.length === 0 || revoke.isPending} onClick={() => setRevoking(true)}>Revoke{selected.length > 1 ? ` (${selected.length})` : ''}…</ActionButton>
      </Toolbar>
      {revoke.isError && <ErrorState error={revoke.error} />}
      {all.isPending && <LoadingState label="Reading the tokens" />}
      {all.isError && <ErrorState error={all.error} retry={() => void all.refetch()} />}
      {all.data && (
        <Split>
          {all.data.length === 0
            ? <EmptyState icon={<TicketDiagonalRegular />} title="No enrolment tokens" hint="A new machine joins with a token. Create one: the command line for the machine comes with it." action={<ActionButton needs="Watchkeeper/managementGroups/enrolmentTokens/write" appearance="primary" onClick={() => setCreating(true)}>Create a token</ActionButton>} />
            : <DataGrid label="Enrolment tokens" rows={all.data} columns={columns} rowId={(token) => token.id} onSelect={setSelected} />}
        </Split>
      )}
      {creating && <CreateDialog onDone={(token) => { setCreating(false); setMade(token); }} />}
      {made && <MadeDialog made={made} onDone={() => setMade(undefined)} />}
      {revoking && (
        <ConfirmDialog title={selected.length === 1 ? `Revoke the token ${selected[0]?.id ?? ''}?` : `Revoke ${selected.length} tokens?`} confirm="Revoke" onConfirm={() => revoke.mutate(undefined)} onCancel={() => setRevoking(false)}>
          Nobody joins with it any more. Agents that have joined with it stay.
        </ConfirmDialog>
      )}
    </>
  );
}

const validities: [string, string][] = [['1', 'An hour'], ['24', 'A day'], ['168', 'A week'], ['720', '30 days'], ['0', 'Until it is revoked']];

function CreateDialog({ onDone }: { onDone: (made?: NewEnrolmentToken) => void }) {
  const [description, setDescription] = useState('');
  const [validHours, setValidHours] = useState('24');
  const [uses, setUses] = useState('1');
  const count = Number(uses);
  const ready = uses === '' || (Number.isInteger(count) && count > 0);
  const create = useAction(async () => {
    const body = { description, validHours: Number(validHours), ...(uses === '' ? {} : { uses: count }) };
    onDone(await request<NewEnrolmentToken>('/api/enrolment-tokens', { method: 'POST', body }));
  });
  return (
    <FormDialog title="Create an enrolment token" submit="Create" ready={ready} pending={create.isPending} error={create.error} onSubmit={() => create.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="For" hint="Says later what it was made for: a machine, a roll-out"><Input value={description} onChange={(_event, data) => setDescription(data.value)} /></Field>
      <Field label="Valid for">
        <Select value={validHours} onChange={(_event, data) => setValidHours(data.value)}>
          {validities.map(([hours, label]) => <option key={hours} value={hours}>{label}</option>)}
        </Select>
      </Field>
      <Field label="Agents that may join with it" hint="Empty: any number" {...(ready ? {} : { validationMessage: 'A whole number from 1, or nothing' })}>
        <Input type="number" min={1} value={uses} onChange={(_event, data) => setUses(data.value)} />
      </Field>
    </FormDialog>
  );
}

/** The command that a new machine runs; the token goes in over standard input, so that no process list shows it. */
function commandLine(made: NewEnrolmentToken): string {
  const endpoints = made.agentEndpoints.length > 0 ? made.agentEndpoints : [`${location.hostname}:5723`];
  const servers = endpoints.map((endpoint) => `--server ${endpoint}`).join(' ');
  return `printf '%s\\n' '${made.token}' | sudo watchkeeper-agent install ${servers} --ca-fingerprint ${made.caFingerprint} --token-file -`;
}

function MadeDialog({ made, onDone }: { made: NewEnrolmentToken; onDone: () => void }) {
  const styles = useStyles();
  return (
    <ShownOnce
      title="The token is shown this once" label="Command for the new machine" value={commandLine(made)} onDone={onDone}
      intro={<Text>Put the program <code>watchkeeper-agent</code> on the new machine and run there:</Text>}
    >
      <Text className={styles.muted}>The agent appears under Agents within a minute. A gateway takes the token from the file that its configuration names.</Text>
    </ShownOnce>
  );
}
