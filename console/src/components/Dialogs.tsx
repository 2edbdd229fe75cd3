// The two dialogs that pages have: a form that saves something, and a question before something is taken away.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, makeStyles } from '@fluentui/react-components';
import { useContext, type ReactNode } from 'react';
import { mayAny, PermissionsContext, type ActionName } from '../api/permissions';
import { ErrorState } from './States';

const useStyles = makeStyles({
  fields: { display: 'flex', flexDirection: 'column', gap: '12px', paddingTop: '4px' },
});

interface FormDialogProps {
  title: string;
  /** What the button that sends the form says. */
  submit: string;
  /** What sending takes, of a form that is opened to be read, too: others have no button for it. */
  needs?: ActionName;
  /** Whether the form can be sent as it is. */
  ready: boolean;
  pending: boolean;
  /** What the server refused. */
  error?: unknown;
  /** The form says itself what is missing, in the place of the browser. */
  checksItself?: boolean;
  onSubmit: () => void;
  onCancel: () => void;
  children: ReactNode;
}

export function FormDialog({ title, submit, needs, ready, pending, error, checksItself = false, onSubmit, onCancel, children }: FormDialogProps) {
  const styles = useStyles();
  const may = useContext(PermissionsContext);
  const isReader = needs !== undefined && may !== null && !mayAny(may, needs);
  return (
    <Dialog open onOpenChange={onCancel}>
      <DialogSurface>
        <form noValidate={checksItself} onSubmit={(event) => { event.preventDefault(); if (ready && !pending && !isReader) onSubmit(); }}>
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent className={styles.fields}>
              {children}
              {error ? <ErrorState error={error} /> : null}
            </DialogContent>
            <DialogActions>
              <Button onClick={onCancel}>{isReader ? 'Close' : 'Cancel'}</Button>
              {!isReader && <Button appearance="primary" type="submit" disabledFocusable={!ready || pending}>{submit}</Button>}
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}

interface ConfirmDialogProps {
  title: string;
  /** What follows, and how to have it back. */
  children: ReactNode;
  confirm: string;
  onConfirm: () => void;
  onCancel: () => void;
}

export function ConfirmDialog({ title, children, confirm, onConfirm, onCancel }: ConfirmDialogProps) {
  return (
    <Dialog open onOpenChange={onCancel}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent>{children}</DialogContent>
          <DialogActions>
            <Button onClick={onCancel}>Keep</Button>
            <Button appearance="primary" onClick={onConfirm}>{confirm}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
