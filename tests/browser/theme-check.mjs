/* Shopify's theme-check on a theme app extension: `node theme-check.mjs FOLDER`; lists offences, status 1 if any. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { themeCheckRun } from '@shopify/theme-check-node';

const folder = mkdtempSync(join(tmpdir(), 'theme-check-'));
const config = join(folder, 'theme-check.yml');
writeFileSync(config, 'extends: theme-check:theme-app-extension\n');
const { offenses } = await themeCheckRun(process.argv[2], config);
rmSync(folder, { recursive: true });
for (const { check, message, uri } of offenses) console.log(`${check} in ${uri}: ${message}`);
console.log(`${offenses.length} offences`);
process.exit(offenses.length ? 1 : 0);
