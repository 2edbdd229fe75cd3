// Saves a query, or makes a function of it.
import { Button, Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, makeStyles } from '@fluentui/react-components';
import { useState, type FormEvent } from 'react';
import { useSaveQuery } from '../../api/savedQueries';
import { ErrorState } from '../../components/States';

const useStyles = makeStyles({ fields: { display: 'flex', flexDirection: 'column', gap: '12px' } });

interface SaveDialogProps {
  query: string;
  onClose: () => void;
}

export function SaveDialog({ query, onClose }: SaveDialogProps) {
  const styles = useStyles();
  const save = useSaveQuery();
  const [name, setName] = useState('');
  const [category, setCategory] = useState('');
  const [isFunction, setIsFunction] = useState(false);
  const [parameters, setParameters] = useState('');
  const badName = isFunction && name !== '' && !/^[A-Za-z_]\w*$/.test(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const asFunction = isFunction ? { functionAlias: name, ...(parameters ? { functionParameters: parameters } : {}) } : {};
    save.mutate({ name, category, query, ...asFunction }, { onSuccess: onClose });
  };
  return (
    <Dialog open onOpenChange={(_event, data) => !data.open && onClose()}>
      <DialogSurface>
        <form onSubmit={submit}>
          <DialogBody>
            <DialogTitle>Save the query</DialogTitle>
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
              <Button type="submit" appearance="primary" disabled={!name || badName || save.isPending}>Save</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
