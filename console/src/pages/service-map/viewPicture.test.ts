import { describe, expect, it } from 'vitest';
import type { ViewDetails, ViewMember } from '../../api/serviceMap';
import { classWords, neighbours, viewModel } from './viewPicture';

const member = (object: string, parents: string[] = [], more: Partial<ViewMember> = {}): ViewMember => ({ object, name: object, class: 'System.Library!System.Computer', health: 'Success', from: 'map', parents, ...more });
const view: ViewDetails = {
  object: 'view', name: 'web', health: 'Error',
  members: [member('web', ['view']), member('nginx', ['web', 'view'], { health: 'Error' }), member('app', ['view']), member('java', ['app']), member('cron', ['app']), member('extra', [], { from: 'person' })],
  edges: [{ source: 'nginx', target: 'java', ports: [8080] }, { source: 'nginx', target: 'java', ports: [8443, 8080] }, { source: 'cron', target: 'java', ports: [8080] }, { source: 'nginx', target: 'gone', ports: [1] }],
};

describe('the picture of a distributed application', () => {
  it('has the computers as boxes and what runs on them inside', () => {
    const { picture, boxOf } = viewModel(view, new Set());
    expect(picture.boxes.map((box) => [box.id, box.subtitle, box.canOpen])).toEqual([['web', 'Computer · 1 process', true], ['app', 'Computer · 2 processes', true], ['extra', 'Computer · added by hand', false]]);
    expect(picture.links.map((link) => [link.id, link.ports])).toEqual([['web|>app|', [8080, 8443]]]);
    expect(boxOf.get('java')).toBe('app');
  });
  it('shows rows with their health and lines between them where a box is open', () => {
    const { picture } = viewModel(view, new Set(['web', 'app']));
    expect(picture.boxes[0]?.rows).toEqual([{ id: 'nginx', title: 'nginx', ports: [], health: 'Error' }]);
    expect(picture.boxes[1]?.rows.map((row) => [row.id, row.ports])).toEqual([['cron', []], ['java', [8080, 8443]]]);
    expect(picture.links.map((link) => link.id)).toEqual(['web|nginx>app|java', 'app|cron>app|java']);
  });
  it('draws members that hold each other once', () => {
    const loop = { object: 'view', members: [member('a', ['b']), member('b', ['a'])], edges: [] };
    expect(viewModel(loop, new Set()).picture.boxes.map((box) => [box.id, box.members])).toEqual([['a', ['a', 'b']]]);
  });
  it('says who talks to a member, and names classes as people do', () => {
    expect(neighbours(view, 'java').map((one) => [one.member.object, one.isCaller, one.ports])).toEqual([['nginx', true, [8080, 8443]], ['cron', true, [8080]]]);
    expect(neighbours(view, 'app').map((one) => [one.member.object, one.isCaller])).toEqual([['nginx', true]]);
    expect(classWords('Microsoft.Unix.Library!Microsoft.Unix.Computer')).toBe('Computer');
    expect(classWords('Watchkeeper.X!Watchkeeper.ServerProcess')).toBe('Server process');
  });
});
