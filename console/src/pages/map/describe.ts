// What something on the map is, in words: for the pointer and for screen readers.
import { formatBytes, formatNumber } from '../../components/format';
import { healthWords } from '../../components/HealthIcon';
import type { Hit } from './draw/geometry';
import { placeOfEnd } from './graph/connections';
import type { Box, Link, Picture } from './graph/picture';
import { nameOfEnd, type World } from './graph/world';

export function describe(world: World, picture: Picture, hit: Hit): string {
  return hit.kind === 'link' ? describeLink(world, hit.link) : hit.row === undefined ? describeBox(picture, hit.box) : describeRow(world, picture, hit.row);
}

function describeBox(picture: Picture, box: Box): string {
  const into = picture.links.filter((link) => link.target.box === box.id && link.source.box !== box.id);
  const out = picture.links.filter((link) => link.source.box === box.id && link.target.box !== box.id);
  const { critical, warning } = box.alerts;
  const parts = [
    `${box.title}\n${box.subtitle}`,
    box.malicious > 0 ? `${box.malicious} known to be malicious` : '',
    box.health ? healthWords[box.health] : '',
    box.inMaintenance ? 'in maintenance' : '',
    critical > 0 ? `${critical} critical ${critical === 1 ? 'alert' : 'alerts'}` : '',
    warning > 0 ? `${warning} ${warning === 1 ? 'warning' : 'warnings'}` : '',
    box.workItems > 0 ? `${box.workItems} open work ${box.workItems === 1 ? 'item' : 'items'}` : '',
    `${counted(into, 'line')} in, ${counted(out, 'line')} out`,
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function describeRow(world: World, picture: Picture, row: string): string {
  const process = world.processes.get(row);
  const links = picture.links.filter((link) => link.source.row === row || link.target.row === row);
  const ports = world.portsOf.get(row) ?? [];
  return [nameOfEnd(world, row), process?.user ? `runs as ${process.user}` : '', ports.length > 0 ? `listens on ${ports.join(', ')}` : '', counted(links, 'line')].filter((part) => part !== '').join('\n');
}

function describeLink(world: World, link: Link): string {
  const [first] = link.edges;
  const one = first && link.edges.length === 1 ? `${placeOfEnd(world, first.source)} → ${placeOfEnd(world, first.target)}` : `${link.edges.length} connections`;
  return [
    one,
    `${link.ports.length === 1 ? 'port' : 'ports'} ${link.ports.slice(0, 6).join(', ')}${link.ports.length > 6 ? '…' : ''}`,
    `${formatNumber(link.established)} made, ${formatNumber(link.live)} open`,
    link.failed > 0 ? `${formatNumber(link.failed)} failed` : '',
    link.malicious ? 'with an address that is known to be malicious' : '',
    formatBytes(link.bytes),
  ].filter((part) => part !== '').join('\n');
}

function counted(list: readonly unknown[], word: string): string {
  return `${list.length} ${list.length === 1 ? word : `${word}s`}`;
}
