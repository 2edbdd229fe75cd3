// What an operator does with alerts: state, owner, ticket, comment; one or many at a time.
import {
  Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, Menu, MenuItem,
  MenuList, MenuPopover, MenuTrigger, MessageBar, MessageBarBody, MessageBarTitle, Textarea, Tooltip,
} from '@fluentui/react-components';
import { CheckmarkRegular, ChevronDownRegular, CommentAddRegular, DismissCircleRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { closed, editAlerts, type Alert, type AlertEdit, type EditOutcome, type ResolutionState } from '../../api/alerts';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';

const acknowledged = 249;

export function AlertActions({ alerts, states }: { alerts: Alert[]; states: ResolutionState[] }) {
  const [commenting, setCommenting] = useState(false);
  const [refused, setRefused] = useState<{ outcome: EditOutcome; edit: AlertEdit }>();
  const change = useAction(async ({ which, edit }: { which: Alert[]; edit: AlertEdit }) => {
    const outcome = await editAlerts(which, edit);
    setRefused(outcome.refused.length > 0 ? { outcome, edit } : undefined);
  });
  const none = alerts.length === 0;
  const run = (edit: AlertEdit) => change.mutate({ which: alerts, edit });
  const many = alerts.length > 1 ? ` (${alerts.length})` : '';
  return (
    <>
      <Tooltip relationship="description" content={none ? 'Select alerts first' : 'Says that somebody looks at it'}>
        <ActionButton needs="Microsoft.AlertsManagement/alerts/changestate/action" size="small" icon={<CheckmarkRegular />} disabledFocusable={none || change.isPending} onClick={() => run({ resolutionState: String(acknowledged) })}>Acknowledge{many}</ActionButton>
      </Tooltip>
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <ActionButton needs="Microsoft.AlertsManagement/alerts/changestate/action" size="small" icon={<ChevronDownRegular />} iconPosition="after" disabledFocusable={none || change.isPending}>Set state</ActionButton>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            {states.filter((state) => state.code !== closed).map((state) => (
              <MenuItem key={state.code} onClick={() => run({ resolutionState: String(state.code) })}>{state.name}</MenuItem>
            ))}
          </MenuList>
        </MenuPopover>
      </Menu>
      <ActionButton needs="Microsoft.AlertsManagement/alerts/changestate/action" size="small" icon={<CommentAddRegular />} disabledFocusable={none || change.isPending} onClick={() => setCommenting(true)}>Owner and comment</ActionButton>
      <ActionButton needs="Microsoft.AlertsManagement/alerts/changestate/action" size="small" icon={<DismissCircleRegular />} disabledFocusable={none || change.isPending} onClick={() => run({ resolutionState: String(closed) })}>Close{many}</ActionButton>
      {commenting && <CommentDialog alerts={alerts} onDone={() => setCommenting(false)} onSave={(edit) => { setCommenting(false); run(edit); }} />}
      {refused && (
        <Dialog open onOpenChange={() => setRefused(undefined)}>
          <DialogSurface>
            <DialogBody>
              <DialogTitle>{refused.outcome.refused.length === 1 ? 'An alert was not changed' : `${refused.outcome.refused.length} alerts were not changed`}</DialogTitle>
              <DialogContent>
                {refused.outcome.refused.map(({ alert, error }) => (
                  <MessageBar key={alert.id} intent="warning" layout="multiline">
                    <MessageBarBody>
                      <MessageBarTitle>{alert.name} · {alert.objectName}</MessageBarTitle>
                      {error instanceof Error ? error.message : String(error)}
                    </MessageBarBody>
                  </MessageBar>
                ))}
              </DialogContent>
              <DialogActions>
                <Button onClick={() => setRefused(undefined)}>Leave as it is</Button>
                {refused.edit.resolutionState === String(closed) && (
                  <Button appearance="primary" onClick={() => change.mutate({ which: refused.outcome.refused.map((one) => one.alert), edit: { ...refused.edit, resetMonitor: true } })}>
                    Reset the monitor and close
                  </Button>
                )}
              </DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </>
  );
}

function CommentDialog({ alerts, onSave, onDone }: { alerts: Alert[]; onSave: (edit: AlertEdit) => void; onDone: () => void }) {
  const only = alerts.length === 1 ? alerts[0] : undefined;
  const [owner, setOwner] = useState(only?.owner ?? '');
  const [ticketId, setTicketId] = useState(only?.ticketId ?? '');
  const [comment, setComment] = useState('');
  const save = () => onSave({
    ...(owner !== (only?.owner ?? '') ? { owner } : {}),
    ...(ticketId !== (only?.ticketId ?? '') ? { ticketId } : {}),
    comment,
  });
  return (
    <FormDialog title={only ? only.name : `${alerts.length} alerts`} submit="Save" ready pending={false} onSubmit={save} onCancel={onDone}>
      <Field label="Owner"><Input value={owner} onChange={(_event, data) => setOwner(data.value)} /></Field>
      <Field label="Ticket"><Input value={ticketId} onChange={(_event, data) => setTicketId(data.value)} /></Field>
      <Field label="Comment"><Textarea value={comment} onChange={(_event, data) => setComment(data.value)} rows={3} /></Field>
    </FormDialog>
  );
}
