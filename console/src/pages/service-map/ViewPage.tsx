// A dependency view: a distributed application with its health, its diagram, its members, and what people changed of it.
import { Button, Menu, MenuItem, MenuList, MenuPopover, MenuTrigger, Tab, TabList } from '@fluentui/react-components';
import { AddRegular, ArrowUndoRegular, HeartPulseRegular, OrganizationRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { viewPath, type ViewDetails, type ViewMember } from '../../api/serviceMap';
import { DataGrid } from '../../components/DataGrid';
import { HealthIcon, healthRank, healthWords } from '../../components/HealthIcon';
import { ActionButton } from '../../components/May';
import { Page, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { AddMemberDialog } from './AddMemberDialog';
import { MemberPanel } from './MemberPanel';
import { ViewDiagram } from './ViewDiagram';
import { ViewsBreadcrumb } from './ViewsBreadcrumb';
import { classWords } from './viewPicture';

const columns: ColDef<ViewMember>[] = [
  {
    colId: 'health', headerName: 'Health', width: 140, initialSort: 'desc',
    valueGetter: ({ data }) => (data ? healthWords[data.health] : ''),
    comparator: (_a, _b, left, right) => healthRank[left.data?.health ?? 'Uninitialized'] - healthRank[right.data?.health ?? 'Uninitialized'],
    cellRenderer: ({ data }: ICellRendererParams<ViewMember>) => data && <HealthIcon health={data.health} />,
  },
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 160 },
  { colId: 'class', headerName: 'Class', flex: 2, minWidth: 120, valueGetter: ({ data }) => data && classWords(data.class), tooltipField: 'class' },
  { colId: 'from', headerName: 'Put here by', width: 150, valueGetter: ({ data }) => (data?.from === 'person' ? 'a person' : 'the map') },
];

export default function ViewPage() {
  const navigate = useNavigate();
  const { object = '' } = useParams();
  const [parameters, setParameters] = useSearchParams();
  const [adding, setAdding] = useState(false);
  const view = useGroup<ViewDetails>(viewPath(object), 5);
  const putBack = useAction((member: string) => request(`${viewPath(object)}/members`, { method: 'POST', body: { object: member } }));
  const form = parameters.get('form') === 'list' ? 'list' : 'diagram';
  const selected = parameters.get('selected') ?? undefined;
  const set = (name: string, value: string | undefined) => setParameters((was) => {
    const next = new URLSearchParams(was);
    if (value === undefined) next.delete(name);
    else next.set(name, value);
    return next;
  }, { replace: true });
  const openObject = (id: string) => navigate(`/objects/${segment(id)}`);
  if (view.isPending) return <LoadingState label="Reading the view" />;
  if (view.isError) return <ErrorState error={view.error} retry={() => void view.refetch()} />;
  const it = view.data;
  const removed = it.removed ?? [];
  const member = it.members.find((one) => one.object === selected);
  return (
    <Page title={it.name} summary={<HealthIcon health={it.health} />}>
      <Toolbar label="View">
        <TabList size="small" selectedValue={form} onTabSelect={(_event, data) => set('form', data.value === 'list' ? 'list' : undefined)} aria-label="Form">
          <Tab value="diagram">Diagram</Tab>
          <Tab value="list">List</Tab>
        </TabList>
        <ViewsBreadcrumb view={it.object} />
        <Spacer />
        {removed.length > 0 && (
          <Menu>
            <MenuTrigger disableButtonEnhancement><ActionButton needs="Watchkeeper/managementGroups/dependencyViews/write" size="small" icon={<ArrowUndoRegular />} disabledFocusable={putBack.isPending}>{`Taken away (${removed.length})`}</ActionButton></MenuTrigger>
            <MenuPopover><MenuList>{removed.map((one) => <MenuItem key={one.object} onClick={() => putBack.mutate(one.object)}>{`Put ${one.name} back`}</MenuItem>)}</MenuList></MenuPopover>
          </Menu>
        )}
        <ActionButton needs="Watchkeeper/managementGroups/dependencyViews/write" size="small" icon={<AddRegular />} onClick={() => setAdding(true)}>Add member…</ActionButton>
        <Button size="small" icon={<HeartPulseRegular />} onClick={() => openObject(it.object)}>Health explorer</Button>
      </Toolbar>
      {putBack.isError && <ErrorState error={putBack.error} />}
      <Split label="Member" side={member && <MemberPanel key={member.object} view={it} member={member} onSelect={(id) => set('selected', id)} onClose={() => set('selected', undefined)} />}>
        {it.members.length === 0 ? (
          <EmptyState
            icon={<OrganizationRegular />} title="Nothing is in this view yet" hint="The next sync brings what the map knows. If nothing comes, the connection under Administration says what its machines lack."
            action={<ActionButton needs="Watchkeeper/managementGroups/dependencyViews/write" onClick={() => setAdding(true)}>Add a member by hand</ActionButton>}
          />
        ) : form === 'list' ? <DataGrid label="Members of the view" rows={it.members} columns={columns} rowId={(one) => one.object} openId={selected} onOpen={(one) => set('selected', one.object)} />
          : <ViewDiagram view={it} selected={selected} onSelect={(id) => set('selected', id)} onOpen={openObject} />}
      </Split>
      {adding && <AddMemberDialog view={it} onDone={() => setAdding(false)} />}
    </Page>
  );
}
