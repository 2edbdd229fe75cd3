// What the tabs of access control look like alike.
import { makeStyles, tokens } from '@fluentui/react-components';

export const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  muted: { color: tokens.colorNeutralForeground2, overflowWrap: 'anywhere' },
  list: { listStyle: 'none', margin: '4px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '2px' },
  row: { display: 'flex', gap: '2px 8px', alignItems: 'center', minHeight: '28px' },
  grow: { flex: 1, minWidth: 0, overflowWrap: 'anywhere' },
  mono: { fontFamily: tokens.fontFamilyMonospace, fontSize: '12px', overflowWrap: 'anywhere' },
  buttons: { display: 'flex', gap: '12px', alignItems: 'center', flexWrap: 'wrap', marginTop: '4px' },
  scroll: { padding: '14px 18px', display: 'flex', flexDirection: 'column', gap: '16px' },
});

export function useLinkStyle(): string {
  return useStyles().link;
}
