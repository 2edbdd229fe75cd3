// Directories: whom people sign in through (OpenID Connect providers, LDAP), and whose groups of computers are imported.
import { Tab, TabList } from '@fluentui/react-components';
import { useState, type ReactNode } from 'react';
import { useMay, type ActionName } from '../../api/permissions';
import { Toolbar } from '../../components/Page';
import { GroupDirectories } from './GroupDirectories';
import { IdentityDirectories } from './IdentityDirectories';
import { IdentityProviders } from './IdentityProviders';

const people: ActionName = 'Microsoft.Authorization/users/read';

const lists: { value: string; label: string; needs: ActionName; show: () => ReactNode }[] = [
  { value: 'providers', label: 'OpenID Connect sign-in', needs: people, show: () => <IdentityProviders /> },
  { value: 'directories', label: 'LDAP sign-in', needs: people, show: () => <IdentityDirectories /> },
  { value: 'computers', label: 'Computer groups', needs: 'Watchkeeper/managementGroups/computerGroupDirectories/read', show: () => <GroupDirectories /> },
];

export function DirectoriesTab() {
  const may = useMay();
  const visible = lists.filter((one) => may(one.needs));
  const [chosen, setChosen] = useState(visible[0]?.value ?? '');
  return (
    <>
      <Toolbar label="Kinds of directories">
        <TabList size="small" selectedValue={chosen} onTabSelect={(_event, data) => setChosen(String(data.value))}>
          {visible.map(({ value, label }) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      </Toolbar>
      {visible.find((one) => one.value === chosen)?.show()}
    </>
  );
}
