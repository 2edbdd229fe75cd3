// Access control: who signs in, who may do what, and where it was given.
import { TabbedPage } from '../../components/TabbedPage';
import { ApplicationsTab } from './ApplicationsTab';
import { AssignmentsTab } from './AssignmentsTab';
import { CheckTab } from './CheckTab';
import { DirectoriesTab } from './DirectoriesTab';
import { GroupsTab } from './GroupsTab';
import { RolesTab } from './RolesTab';
import { SessionsTab } from './SessionsTab';
import { UsersTab } from './UsersTab';

const show = {
  assignments: () => <AssignmentsTab />,
  check: () => <CheckTab />,
  roles: () => <RolesTab />,
  users: () => <UsersTab />,
  groups: () => <GroupsTab />,
  applications: () => <ApplicationsTab />,
  sessions: () => <SessionsTab />,
  directories: () => <DirectoriesTab />,
};

export default function AccessPage() {
  return <TabbedPage path="/access" title="Access control" show={show} />;
}
