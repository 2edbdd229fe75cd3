import { describe, expect, it } from 'vitest';
import { actionOf, configurationOf, fieldLines, fieldsOfLines } from './itsmActionForm';

describe('the settings of an ITSM action', () => {
  it('are read as documented, from text or an object', () => {
    const documented = actionOf('{"PayloadRevision":0,"WorkItemType":"Event","UseTemplate":false,"WorkItemData":"{\\"urgency\\":1,\\"category\\":\\"network\\"}","CreateOneWIPerCI":true}');
    expect(documented).toEqual({ workItemType: 'Event', template: '', fields: { urgency: '1', category: 'network' }, perConfigurationItem: true, onResolved: 'resolve', reopen: true });
    expect(actionOf({ UseTemplate: true, WorkItemData: 'Disk' }).template).toBe('Disk');
    expect(actionOf(undefined)).toEqual({ workItemType: 'Incident', template: '', fields: {}, perConfigurationItem: false, onResolved: 'resolve', reopen: true });
  });
  it('come back as they were sent', () => {
    const form = actionOf({ workItemType: 'Alert', template: 'T', fields: { a: 'b = c' }, perConfigurationItem: true, onResolved: 'close', reopen: false });
    expect(actionOf(configurationOf(form))).toEqual(form);
    expect(fieldsOfLines(fieldLines(form.fields))).toEqual(form.fields);
    expect(fieldsOfLines('a=1\n\nno sign\n = x\nb =  2 ')).toEqual({ a: '1', b: '2' });
  });
});
