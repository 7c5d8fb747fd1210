// `pawl doctor`: which systems are reachable, and what is missing.

import type { Command } from 'commander';
import { complete } from '../action.js';
import type { Finding } from '../doctor/finding.js';
import { exitCodes } from '../exit-codes.js';
import type { Style } from '../style.js';
import { table } from '../table.js';

export function doctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .summary('what is reachable, and what is missing')
    .description(
      'Looks at Temporal, S3, the hosts for jobs, the gateways and Python, and says for each what is wrong and what to type.',
    );
  complete<object>(
    command,
    [
      ['pawl doctor', 'here, with the settings of the environment'],
      ['PAWL_ENVIRONMENT=prod pawl doctor --json', 'exit code 3 where something is away, 1 where something is wrong'],
    ],
    async ({ output, session }) => {
      const [{ findingsOf }, { checkTemporal }, { checkObjectStore }, machines] = await Promise.all([
        import('../doctor/finding.js'),
        import('../doctor/check-temporal.js'),
        import('../doctor/check-object-store.js'),
        import('../doctor/check-machines.js'),
      ]);
      const checks = [
        findingsOf('project', () => machines.checkProject(session)),
        findingsOf('Temporal', () => checkTemporal(session)),
        findingsOf('S3', () => checkObjectStore(session)),
        findingsOf('compute', () => machines.checkComputes(session)),
        findingsOf('gateway', () => machines.checkRouters(session)),
        findingsOf('Python', () => machines.checkPython(session)),
      ];
      const findings = (await output.during('looking at every system', () => Promise.all(checks))).flat();
      const states = findings.map(({ state }) => state);
      output.answer(
        { findings },
        table(
          findings.map((finding) => row(finding, output.style)),
          { columns: output.columns },
        ),
      );
      if (states.includes('away')) return exitCodes.unavailable;
      return states.includes('wrong') ? exitCodes.negative : exitCodes.ok;
    },
  );
}

function row({ system, state, explanation }: Finding, style: Style): string[] {
  switch (state) {
    case 'good':
      return [style.green('✓'), system, explanation];
    case 'hint':
      return [style.yellow('!'), system, explanation];
    case 'wrong':
      return [style.red('✗'), style.bold(system), explanation];
    case 'away':
      return [style.red('✗'), style.bold(system), explanation];
  }
}
