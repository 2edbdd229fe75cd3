// The frame around every signed-in page: top bar, navigation, workspace, theme and sign-out.
import { Button, Caption1, makeStyles, Menu, MenuItem, MenuItemRadio, MenuList, MenuPopover, MenuTrigger, Select, tokens } from '@fluentui/react-components';
import { PersonRegular, WeatherMoonRegular } from '@fluentui/react-icons';
import { Fragment, useState, type ReactNode } from 'react';
import { Navigate, NavLink, useLocation, useNavigate } from 'react-router-dom';
import { mayAny, PermissionsContext, useLoadPermissions, type Permissions } from '../api/permissions';
import { useSignOut, WorkspaceContext, type Session, type Workspace } from '../api/session';
import { EmptyState, ErrorState, LoadingState } from '../components/States';
import { pages, type PageEntry } from './pages';
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

/** The pages that somebody may see; what was left out takes its heading along. */
function visiblePages(permissions: Permissions): PageEntry[] {
  const visible: PageEntry[] = [];
  let begun: string | undefined;
  for (const page of pages) {
    begun = page.group ?? begun;
    if (!mayAny(permissions, page.needs)) continue;
    visible.push(begun === undefined ? page : { ...page, group: begun });
    begun = undefined;
  }
  return visible;
}

/** The workspace of this server, for whoever may not query it. */
function onlyWorkspace(permissions: Permissions): Workspace {
  const place = permissions.places.find((one) => one.kind === 'workspace');
  return { id: place?.scope.split('/').at(-1) ?? '', name: place?.name ?? '' };
}

export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const styles = useStyles();
  const theme = useTheme();
  const signOut = useSignOut();
  const navigate = useNavigate();
  const permissions = useLoadPermissions(session.user.name);
  const visible = permissions.data ? visiblePages(permissions.data) : [];
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
              <MenuItem onClick={() => navigate('/account')}>Your account</MenuItem>
              <MenuItem onClick={() => signOut.mutate()}>Sign out</MenuItem>
            </MenuList>
          </MenuPopover>
        </Menu>
      </header>
      <nav className={styles.nav} aria-label="Pages">
        {visible.map(({ path, label, icon: Icon, group }) => (
          <Fragment key={path}>
            {group && <Caption1 className={styles.group} aria-hidden>{group}</Caption1>}
            <NavLink to={path} end={path === '/'} className={styles.link} aria-label={label}>
              <Icon className={styles.linkIcon} aria-hidden />
              <span>{label}</span>
            </NavLink>
          </Fragment>
        ))}
      </nav>
      <main id="main" className={styles.main} tabIndex={-1}>
        {permissions.isPending && <LoadingState label="Opening Watchkeeper" />}
        {permissions.isError && <ErrorState error={permissions.error} retry={() => void permissions.refetch()} />}
        {permissions.data && (
          <PermissionsContext.Provider value={permissions.data}>
            <WorkspaceContext.Provider value={workspace ?? onlyWorkspace(permissions.data)}>
              <Entrance visible={visible} permissions={permissions.data}>{children}</Entrance>
            </WorkspaceContext.Provider>
          </PermissionsContext.Provider>
        )}
      </main>
    </div>
  );
}

/** The page of the address; at the door whoever may not see Home is led to the first page that it may. */
function Entrance({ visible, permissions, children }: { visible: PageEntry[]; permissions: Permissions; children: ReactNode }) {
  const { pathname } = useLocation();
  const first = visible[0];
  if (pathname !== '/' || first?.path === '/') return <>{children}</>;
  if (first) return <Navigate to={first.path} replace />;
  const givers = permissions.places.find((place) => place.kind === 'workspace')?.givers ?? [];
  const whom = givers.length > 0 ? givers.join(', ') : 'an administrator';
  return <EmptyState title="You have no role yet" hint={`Ask ${whom} to give you one under Access control: Log Analytics Reader to query, Read-only Operator to see health and alerts.`} />;
}
