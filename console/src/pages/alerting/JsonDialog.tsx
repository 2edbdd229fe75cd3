// A resource as JSON: what the forms do not show can be said here, in the documented words.
import { Field, Input, Textarea } from '@fluentui/react-components';
import { useState } from 'react';
import { saveResource } from '../../api/alerting';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';

interface JsonDialogProps {
  title: string;
  path: string;
  /** Without it, a new one is made. */
  resource?: { key: string; name: string; properties: unknown };
  /** What a new one begins with. */
  template?: unknown;
  name?: string;
  kind?: string;
  onDone: () => void;
}

export function JsonDialog({ title, path, resource, template, name: given = '', kind, onDone }: JsonDialogProps) {
  const [name, setName] = useState(resource?.name ?? given);
  const [text, setText] = useState(() => JSON.stringify(resource?.properties ?? template ?? {}, null, 2));
  const problem = mistake(text);
  const save = useAction(async () => {
    await saveResource(path, resource?.key, name, JSON.parse(text), kind);
    onDone();
  });
  return (
    <FormDialog title={title} submit="Save" ready={name.trim() !== '' && problem === undefined} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Name"><Input value={name} disabled={resource !== undefined} onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="Properties (JSON)" {...(problem ? { validationMessage: problem } : {})}>
        <Textarea value={text} rows={18} resize="vertical" spellCheck={false} textarea={{ style: { fontFamily: 'monospace', maxHeight: '50vh' } }} onChange={(_event, data) => setText(data.value)} />
      </Field>
    </FormDialog>
  );
}

function mistake(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'The properties are an object: { … }';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
