// Saves a query, or makes a function of it; a tab that shows a saved query changes that one, or makes a copy.
import { Button, Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, makeStyles } from '@fluentui/react-components';
import { useState, type FormEvent } from 'react';
import { useSaveQuery, type SavedQuery } from '../../api/savedQueries';
import { ErrorState } from '../../components/States';

const useStyles = makeStyles({ fields: { display: 'flex', flexDirection: 'column', gap: '12px' } });

interface SaveDialogProps {
  query: string;
  /** The saved query that the tab shows. */
  saved: SavedQuery | undefined;
  onSaved: (saved: SavedQuery) => void;
  onClose: () => void;
}

export function SaveDialog({ query, saved, onSaved, onClose }: SaveDialogProps) {
  const styles = useStyles();
  const save = useSaveQuery();
  const [name, setName] = useState(saved?.name ?? '');
  const [category, setCategory] = useState(saved?.category ?? '');
  const [isFunction, setIsFunction] = useState(Boolean(saved?.functionAlias));
  const [parameters, setParameters] = useState(saved?.functionParameters ?? '');
  const badName = isFunction && name !== '' && !/^[A-Za-z_]\w*$/.test(name);
  const store = (id?: string) => {
    const asFunction = isFunction ? { functionAlias: name, ...(parameters ? { functionParameters: parameters } : {}) } : {};
    save.mutate(
      { name, category, query, ...asFunction, ...(id ? { id } : {}) },
      {
        onSuccess: (answer) => {
          if (answer) onSaved(answer);
          onClose();
        },
      },
    );
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    store(saved?.id);
  };
  const refused = !name.trim() || badName || save.isPending;
  return (
    <Dialog open onOpenChange={(_event, data) => !data.open && onClose()}>
      <DialogSurface>
        <form onSubmit={submit}>
          <DialogBody>
            <DialogTitle>{saved ? `Change ${saved.name}` : 'Save the query'}</DialogTitle>
            <DialogContent className={styles.fields}>
              {save.isError && <ErrorState error={save.error} />}
              <Field label="Name" required {...(badName ? { validationMessage: 'A function name has letters, digits and _, and begins with a letter.' } : {})}>
                <Input value={name} onChange={(_event, data) => setName(data.value)} />
              </Field>
              <Field label="Category">
                <Input value={category} onChange={(_event, data) => setCategory(data.value)} />
              </Field>
              <Checkbox label="Save as a function" checked={isFunction} onChange={(_event, data) => setIsFunction(data.checked === true)} />
              {isFunction && (
                <Field label="Parameters" hint="For instance: computer: string, since: timespan = 1h">
                  <Input value={parameters} onChange={(_event, data) => setParameters(data.value)} />
                </Field>
              )}
            </DialogContent>
            <DialogActions>
              <Button onClick={onClose}>Cancel</Button>
              {saved && <Button disabled={refused} onClick={() => store()}>Save as a copy</Button>}
              <Button type="submit" appearance="primary" disabled={refused}>Save</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
