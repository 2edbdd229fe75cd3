// The frame around every signed-in page: top bar, navigation, workspace, theme and sign-out.
import { Button, Caption1, makeStyles, Menu, MenuItem, MenuItemRadio, MenuList, MenuPopover, MenuTrigger, Select, tokens } from '@fluentui/react-components';
import { AlertRegular, AlertUrgentRegular, ArrowTrendingLinesRegular, BoxRegular, BranchForkRegular, DocumentSearchRegular, HeartPulseRegular, HomeRegular, OrganizationRegular, PersonRegular, ServerRegular, SettingsRegular, TicketDiagonalRegular, WeatherMoonRegular, WrenchRegular, type FluentIcon } from '@fluentui/react-icons';
import { Fragment, useState, type ReactNode } from 'react';
import { NavLink } from 'react-router-dom';
import { useSignOut, WorkspaceContext, type Session } from '../api/session';
import { EmptyState } from '../components/States';
import { useTheme, type ThemeChoice } from './theme';

const useStyles = makeStyles({
  frame: { height: '100%', display: 'grid', gridTemplateRows: '44px minmax(0, 1fr)', gridTemplateColumns: '188px minmax(0, 1fr)', backgroundColor: tokens.colorNeutralBackground2, '@media (max-width: 800px)': { gridTemplateColumns: '52px minmax(0, 1fr)' } },
  bar: { gridColumn: '1 / -1', display: 'flex', alignItems: 'center', gap: '10px', padding: '0 10px 0 14px', backgroundColor: '#0b2a4a', color: '#fff' },
  brand: { display: 'flex', alignItems: 'center', gap: '10px', fontWeight: 600, fontSize: '15px', letterSpacing: '.01em' },
  spacer: { flex: 1 },
  onBar: { color: '#fff', ':hover': { color: '#fff', backgroundColor: '#1c4a78' }, ':hover:active': { color: '#fff', backgroundColor: '#1c4a78' } },
  nav: { display: 'flex', flexDirection: 'column', gap: '2px', padding: '10px 8px', borderRight: `1px solid ${tokens.colorNeutralStroke2}` },
  link: { display: 'flex', alignItems: 'center', gap: '12px', padding: '8px 10px', borderRadius: tokens.borderRadiusMedium, color: tokens.colorNeutralForeground1, textDecorationLine: 'none', fontSize: '14px', borderLeft: '3px solid transparent', ':hover': { backgroundColor: tokens.colorNeutralBackground2Hover }, '&[aria-current="page"]': { backgroundColor: tokens.colorNeutralBackground1, fontWeight: 600, borderLeftColor: tokens.colorBrandStroke1 }, '@media (max-width: 800px)': { '& span': { display: 'none' }, padding: '8px 6px' } },
  group: { color: tokens.colorNeutralForeground2, padding: '12px 10px 4px 13px', '@media (max-width: 800px)': { visibility: 'hidden', height: 0, padding: '4px' } },
  linkIcon: { fontSize: '20px', color: tokens.colorBrandForeground1, flexShrink: 0 },
  main: { overflow: 'auto', minWidth: 0, minHeight: 0, backgroundColor: tokens.colorNeutralBackground2 },
  skip: { position: 'absolute', left: '-999px', ':focus': { left: '8px', top: '8px', zIndex: 100, padding: '8px', backgroundColor: tokens.colorNeutralBackground1, color: tokens.colorNeutralForeground1 } },
});

/** A page with a group begins a part of the navigation. */
const pages: { to: string; label: string; icon: FluentIcon; group?: string }[] = [
  { to: '/', label: 'Home', icon: HomeRegular },
  { to: '/logs', label: 'Logs', icon: DocumentSearchRegular },
  { to: '/machines', label: 'Machines', icon: ServerRegular },
  { to: '/map', label: 'Map', icon: OrganizationRegular },
  { to: '/alerts', label: 'Alerts', icon: AlertRegular, group: 'Monitoring' },
  { to: '/alerting', label: 'Alert rules', icon: AlertUrgentRegular },
  { to: '/itsm', label: 'ITSM connector', icon: TicketDiagonalRegular },
  { to: '/state', label: 'State', icon: HeartPulseRegular },
  { to: '/performance', label: 'Performance', icon: ArrowTrendingLinesRegular },
  { to: '/service-map', label: 'Service Map', icon: BranchForkRegular },
  { to: '/maintenance', label: 'Maintenance', icon: WrenchRegular },
  { to: '/authoring', label: 'Authoring', icon: BoxRegular, group: 'Management group' },
  { to: '/administration', label: 'Administration', icon: SettingsRegular },
];

export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const styles = useStyles();
  const theme = useTheme();
  const signOut = useSignOut();
  const [workspaceId, setWorkspaceId] = useState(() => localStorage.getItem('watchkeeper.workspace') ?? '');
  const workspace = session.workspaces.find((one) => one.id === workspaceId) ?? session.workspaces[0];
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#main">Skip to the page</a>
      <header className={styles.bar}>
        <span className={styles.brand}>
          <img src="/watchkeeper.svg" alt="" width={24} height={24} />
          Watchkeeper
        </span>
        <span className={styles.spacer} />
        {session.workspaces.length > 1 && (
          <Select
            aria-label="Workspace"
            size="small"
            value={workspace?.id ?? ''}
            onChange={(_event, data) => {
              localStorage.setItem('watchkeeper.workspace', data.value);
              setWorkspaceId(data.value);
            }}
          >
            {session.workspaces.map((one) => (
              <option key={one.id} value={one.id}>{one.name}</option>
            ))}
          </Select>
        )}
        <Menu
          checkedValues={{ theme: [theme.choice] }}
          onCheckedValueChange={(_event, data) => theme.choose((data.checkedItems[0] ?? 'system') as ThemeChoice)}
        >
          <MenuTrigger disableButtonEnhancement>
            <Button appearance="transparent" className={styles.onBar} icon={<WeatherMoonRegular />} aria-label="Theme" />
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              <MenuItemRadio name="theme" value="system">As the system</MenuItemRadio>
              <MenuItemRadio name="theme" value="light">Light</MenuItemRadio>
              <MenuItemRadio name="theme" value="dark">Dark</MenuItemRadio>
            </MenuList>
          </MenuPopover>
        </Menu>
        <Menu>
          <MenuTrigger disableButtonEnhancement>
            <Button appearance="transparent" className={styles.onBar} icon={<PersonRegular />}>{session.user.name}</Button>
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              <MenuItem onClick={() => signOut.mutate()}>Sign out</MenuItem>
            </MenuList>
          </MenuPopover>
        </Menu>
      </header>
      <nav className={styles.nav} aria-label="Pages">
        {pages.map(({ to, label, icon: Icon, group }) => (
          <Fragment key={to}>
            {group && <Caption1 className={styles.group} aria-hidden>{group}</Caption1>}
            <NavLink to={to} end={to === '/'} className={styles.link} aria-label={label}>
              <Icon className={styles.linkIcon} aria-hidden />
              <span>{label}</span>
            </NavLink>
          </Fragment>
        ))}
      </nav>
      <main id="main" className={styles.main} tabIndex={-1}>
        {workspace ? (
          <WorkspaceContext.Provider value={workspace}>{children}</WorkspaceContext.Provider>
        ) : (
          <EmptyState title="No workspace" hint="You have no role on any workspace. Ask an administrator to give you Log Analytics Reader." />
        )}
      </main>
    </div>
  );
}
